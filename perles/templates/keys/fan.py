"""matrix and for_each: one task in a file, many in the workflow."""

from collections.abc import Callable, Mapping, Sequence
from itertools import product
from math import prod
from typing import Any, Final, NamedTuple

from perles.config.yamlfile import Node
from perles.domain.fan_out import MAX_ITEMS, NAME, FanOut, Item, NoListError, item_of, items_of
from perles.domain.patterns import lazy_pattern
from perles.templates.keys.key import TASKS, Family, Key
from perles.templates.keys.shapes import TEXT, WORDS, either, items, parts, whole
from perles.templates.keys.texts import check_name
from perles.templates.values import found_in

MAX_CELLS: Final = 10_000
MAX_AXES: Final = 20
_OPTIONS: Final = ("include", "exclude", "max_parallel")
_SOURCE: Final = lazy_pattern(
    r"\{\{-?\s*tasks\.([A-Za-z0-9_-]+)\.(output|outputs\.[A-Za-z_]\w*)\s*-?\}\}"
)

Cell = Mapping[str, str]


class Matrix(NamedTuple):
    """The cells of a matrix, each with its values by name; `names` are those and more than axes."""

    cells: Sequence[Cell]
    axes: Sequence[str]
    names: Sequence[str]
    max_parallel: int | None


def matrix(node: Node) -> Matrix:
    """The cells that a task is run for. Raises `UsageError` that names file, line and key."""
    entries = node.mapping()
    axes = {name: _axis(name, one) for name, one in entries.items() if name not in _OPTIONS}
    if len(axes) > MAX_AXES:
        raise node.error(f"{len(axes)} axes are too many; the limit is {MAX_AXES}")
    count = prod(len(values) for values in axes.values()) if axes else 0
    if count > MAX_CELLS:
        raise node.error(f"{count} cells are too many; the limit is {MAX_CELLS}")
    excluded = _entries(entries, "exclude")
    for one, where in excluded:
        for name in one:
            if name not in axes:
                raise where.error(f"excludes by {name!r}, which is no axis of this matrix")
    cells = [
        dict(zip(axes, values, strict=True)) for values in (product(*axes.values()) if axes else ())
    ]
    cells = [cell for cell in cells if not any(_fits(one, cell) for one, _ in excluded)]
    cells = _included(cells, axes, _entries(entries, "include"))
    if not cells:
        raise node.error("has no cell; give a list of values for each axis")
    if len(cells) > MAX_CELLS:
        raise node.error(f"{len(cells)} cells are too many; the limit is {MAX_CELLS}")
    names = dict.fromkeys((*axes, *(name for cell in cells for name in cell)))
    return Matrix(cells, tuple(axes), tuple(names), most_at_once(entries))


def most_at_once(entries: Mapping[str, Node]) -> int | None:
    """How many of them run side by side, at most; None where only the workers limit it."""
    node = entries.get("max_parallel")
    return None if node is None else node.integer(1, MAX_CELLS)


def _axis(name: str, node: Node) -> list[str]:
    check_name(name, node)
    if isinstance(node.value, str):
        texts = [text.strip() for text in node.text().split(",") if text.strip()]
    else:
        texts = [one.text() for one in node.items()]
    if not texts:
        raise node.error("is empty; give the values of this axis")
    return list(dict.fromkeys(texts))


def _entries(entries: Mapping[str, Node], key: str) -> list[tuple[Cell, Node]]:
    found: list[tuple[Cell, Node]] = []
    for item in entries[key].items() if key in entries else ():
        one = item.mapping()
        if not one:
            raise item.error("is empty; give names with values")
        for name, value in one.items():
            check_name(name, value)
        found.append(({name: value.text() for name, value in one.items()}, item))
    return found


def _fits(part: Cell, cell: Cell) -> bool:
    return all(cell.get(name) == value for name, value in part.items())


def _included(
    cells: list[dict[str, str]], axes: Mapping[str, Any], included: list[tuple[Cell, Node]]
) -> list[dict[str, str]]:
    """What is included goes into each cell whose axes it does not change, else it is a new one."""
    first = [dict(cell) for cell in cells]
    added: list[dict[str, str]] = []
    for one, _ in included:
        of_axes = {name: value for name, value in one.items() if name in axes}
        fitting = [number for number, cell in enumerate(first) if cells and _fits(of_axes, cell)]
        for number in fitting:
            cells[number] |= one
        if not fitting:
            added.append(dict(one))
    return [*cells, *added]


class ForEach(NamedTuple):
    """What a task is run for, one by one: `items` where they are known, else `later`."""

    items: Sequence[Item]
    later: FanOut | None
    max_parallel: int | None


def for_each(node: Node, value: Callable[[str, Node], str | None]) -> ForEach:
    """The items of a task; `value` gives what stands for a path that is known by now.

    Raises `UsageError` that names file, line and key.
    """
    entries = node.mapping(("in", "max", "max_parallel")) if isinstance(node.value, dict) else {}
    source = entries.get("in", node)
    if isinstance(node.value, dict) and "in" not in entries:
        raise node.error("in is missing; give the items")
    limit = entries["max"].integer(1, MAX_CELLS) if "max" in entries else MAX_ITEMS
    at_once = most_at_once(entries)
    text = source.value if isinstance(source.value, str) else ""
    match = _SOURCE.fullmatch(text.strip())
    if match is not None:
        later = FanOut(match.group(1), match.group(2), limit, at_once)
        return ForEach((), later, at_once)
    found = _listed(source, value)
    if not found:
        raise source.error("is empty; give the items")
    if len(found) > limit:
        raise source.error(f"{len(found)} items are too many; {limit} at most")
    return ForEach(found, None, at_once)


def _listed(source: Node, value: Callable[[str, Node], str | None]) -> Sequence[Item]:
    """The items that a file or a value has."""
    if not isinstance(source.value, str):
        return [_item(one) for one in source.items()]
    references = list(found_in(source.value.strip()))
    if len(references) != 1 or references[0][:2] != (0, len(source.value.strip())):
        raise source.error(
            "must be a list, or one reference such as {{ tasks.KEY.output }}, "
            "{{ tasks.KEY.outputs.NAME }} or {{ args.NAME }}"
        )
    text = value(references[0].path, source) or ""
    is_one_line = len(text.strip().splitlines()) == 1 and text.strip()[:1] not in ("[", "{")
    try:
        return items_of(text.replace(",", "\n") if is_one_line else text, MAX_CELLS)
    except NoListError as error:
        raise source.error(str(error)) from None


def _item(node: Node) -> Item:
    if not isinstance(node.value, dict):
        return {"item": node.text()}
    for name, value in node.mapping().items():
        if not NAME.fullmatch(name):
            raise value.error(f"{name[:60]!r} is no name; use letters, digits and _")
    return item_of({name: value.text() for name, value in node.mapping().items()})


_CELL: Final = {"type": "object", "additionalProperties": TEXT, "minProperties": 1}
_SOME: Final = whole(1, MAX_CELLS)
FAMILY: Final = Family(
    title="Matrix and for_each",
    text="""\
`matrix` creates one task for each combination of values. `{{ matrix.os }}` is the value of a cell;
in a script it is a variable (`PERLES_MATRIX_os`), never code. The keys are formed from the values:
`test` with `{python: [py311, py312], os: [linux]}` becomes `test-py311-linux` and
`test-py312-linux`. `after: [test]` waits for all of them, and `perles run FILE test` runs all of
them. `exclude` removes matching cells. An entry of `include` adds its values to the cells that it
does not contradict; if there is none, it adds a cell. `max_parallel` limits how many run at the
same time.

`for_each` creates one task for each item of a list in the file, of a parameter
(`{{ args.hosts }}`, split at commas or lines), or of an earlier task's result
(`{{ tasks.list.output }}`, `{{ tasks.list.outputs.items }}`): a JSON list, or lines. For a result,
Perles creates the tasks in one step when the earlier task has ended. `{{ item }}` is the item; in a
script it is a variable (`PERLES_ITEM`), never code. `{{ item.host }}` is a field of an item with
fields. The keys are formed from the items if these are short and distinct (`scan-10-0-0-1`), and
from their numbers otherwise (`scan-1`). The task itself ends after all of its items, so `after`
with its key waits for all of them. Its output is their outputs, in order. With an empty list the
task is done at once. It fails with the reason if there is no list, or more than `max` items
(default 1,000).

In a template, the values are in the file, or an earlier task prints them. They cannot come from
the arguments.
""",
    keys=(
        Key(
            name="matrix",
            at=TASKS,
            schema={
                "type": "object",
                "properties": {
                    "include": items(_CELL),
                    "exclude": items(_CELL),
                    "max_parallel": _SOME,
                },
                "additionalProperties": either(items(TEXT, 1), WORDS),
                "minProperties": 1,
            },
            doc="Names with lists of values. Perles creates one task for each combination. "
            "Options: `include`, `exclude`, `max_parallel`.",
            example="- key: test\n"
            "  matrix:\n"
            "    python: ['3.11', '3.12']\n"
            "    os: [linux, macos]\n"
            "    exclude: [{python: '3.11', os: macos}]\n"
            "    max_parallel: 2\n"
            '  run: ./test.sh --python {{ matrix.python }} --os "{{ matrix.os }}"',
        ),
        Key(
            name="for_each",
            at=TASKS,
            schema=either(
                WORDS,
                items(either(TEXT, _CELL), 1),
                parts(
                    {
                        "in": either(WORDS, items(either(TEXT, _CELL), 1)),
                        "max": _SOME,
                        "max_parallel": _SOME,
                    },
                    ("in",),
                ),
            ),
            doc="The items: a list, or `{{ tasks.KEY.output }}`. As a mapping: `in` for the "
            "items, with the options `max` and `max_parallel`.",
            example="- {key: hosts, run: cat hosts.txt}\n"
            "- key: scan\n"
            "  after: hosts\n"
            "  for_each: {in: '{{ tasks.hosts.output }}', max_parallel: 4}\n"
            "  run: ./scan.sh {{ item }}",
        ),
    ),
)
