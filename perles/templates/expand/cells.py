"""One entry of a file becomes the tasks that it stands for: cells of a matrix, items of a list."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import field, replace
from typing import Final

from perles.config.yamlfile import Node
from perles.domain.fan_out import FanOut, Item, keys_for, shown, slug
from perles.domain.records import dataclass
from perles.templates.expand.fill import Known, filled, filled_lists
from perles.templates.keys.fan import for_each, matrix
from perles.templates.keys.texts import MAX_TEXT
from perles.templates.values import Values, found_in

FANS: Final = ("matrix", "for_each")


@dataclass(frozen=True, slots=True)
class Made:
    """One task of an entry: its keys, with the values that stand in them."""

    node: Node
    values: Values
    groups: Sequence[str] = ()
    """The names that stand for it and others."""
    fan_out: FanOut | None = None
    shares: Mapping[str, int] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class _Cell:
    """What is known of a task before its keys are filled in."""

    key: str
    values: Values
    shown: tuple[str, ...] = ()
    groups: tuple[str, ...] = ()
    has_matrix: bool = False
    has_item: bool = False
    fan_out: FanOut | None = None
    shares: Mapping[str, int] = field(default_factory=dict)
    keeps_args: bool = False


def made_of(item: Node, args: Values, *, keeps_args: bool = False) -> Iterator[Made]:
    """The tasks that an entry of `tasks` stands for. Raises `UsageError` with file and line.

    With `keeps_args` references to arguments stay: a template has these filled in later.
    """
    entries = item.mapping()
    rest = {name: node for name, node in entries.items() if name not in FANS}
    bare = item.having(rest)
    if len(rest) == len(entries):
        yield Made(filled(bare, Known(args, keeps_args=keeps_args)), args)
        return
    base = _Cell(_group(entries, item), args, keeps_args=keeps_args)
    for cell in _items(entries, _cells(entries, base)):
        known = Known(
            cell.values,
            has_matrix=cell.has_matrix,
            has_item=cell.has_item,
            later=cell.fan_out is not None,
            keeps_args=keeps_args,
        )
        node = _named(bare, filled(bare, known), cell)
        yield Made(node, cell.values, cell.groups, cell.fan_out, cell.shares)


def _cells(entries: Mapping[str, Node], base: _Cell) -> Iterator[_Cell]:
    node = entries.get("matrix")
    if node is None:
        yield base
        return
    known = Known(base.values, keeps_args=base.keeps_args)
    found = matrix(filled(node.having({"matrix": node}), known).mapping()["matrix"])
    none = {f"matrix.{name}": "" for name in found.names}
    told = [_of_axes(cell, found.axes) for cell in found.cells]
    items: list[Item] = [{"item": "-".join(words)} for words in told]
    shares = {} if found.max_parallel is None else {base.key: found.max_parallel}
    keys = keys_for(base.key, items)
    for key, cell, words in zip(keys, found.cells, told, strict=True):
        yield _Cell(
            key,
            {**base.values, **none, **{f"matrix.{name}": value for name, value in cell.items()}},
            words,
            (base.key,),
            has_matrix=True,
            shares=shares,
            keeps_args=base.keeps_args,
        )


def _of_axes(cell: Mapping[str, str], axes: Sequence[str]) -> tuple[str, ...]:
    """What tells a cell from others: its values by the axes, all where it has none of these."""
    return tuple(value for name, value in cell.items() if name in axes) or tuple(cell.values())


def _items(entries: Mapping[str, Node], cells: Iterator[_Cell]) -> Iterator[_Cell]:
    node = entries.get("for_each")
    for cell in cells:
        if node is None:
            yield cell
            continue
        known = Known(cell.values, has_matrix=cell.has_matrix, keeps_args=cell.keeps_args)
        found = for_each(filled_lists(node, known), known.value)
        if found.later is not None:
            yield replace(cell, has_item=True, fan_out=found.later)
            continue
        none = {path: "" for item in found.items for path in item}
        own = {} if found.max_parallel is None else {cell.key: found.max_parallel}
        for key, item in zip(keys_for(cell.key, found.items), found.items, strict=True):
            yield replace(
                cell,
                key=key,
                values={**cell.values, **none, **item},
                shown=(*cell.shown, shown(item)),
                groups=(*cell.groups, cell.key),
                has_item=True,
                shares={**cell.shares, **own},
            )


def _group(entries: Mapping[str, Node], item: Node) -> str:
    """The key of the entry, without the values that it names."""
    node = entries.get("key")
    if node is None:
        raise item.error("key is missing; a task needs key and run, or key and prompt")
    text = node.text()
    first = next(found_in(text), None)
    group = text if first is None else text[: first.start].rstrip("-_ ")
    if not group:
        raise node.error("needs a word before the first {{ … }}, by which all tasks are called")
    return group


def _named(bare: Node, node: Node, cell: _Cell) -> Node:
    """The task under a key of its own, and with its values in its name where that has none."""
    written, entries = bare.mapping(), dict(node.mapping())
    key = entries["key"]
    has_own = any(found_in(written["key"].text()))
    entries["key"] = key.having(slug(key.text()) if has_own else cell.key)
    name = written.get("name")
    if cell.shown and not has_own and (name is None or not any(found_in(name.text()))):
        base = key.text() if name is None else name.text()
        shown = " ".join(", ".join(cell.shown).split())
        entries["name"] = (name or key).having(f"{base} ({shown})"[:MAX_TEXT])
    return node.having(entries)
