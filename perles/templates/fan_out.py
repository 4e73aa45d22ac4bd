"""Nodes of a template that stand for many tasks: cells of a matrix, items of a list."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from typing import Final

from perles.config.yamlfile import Node
from perles.domain.fan_out import FanOut
from perles.domain.nearest import nearest
from perles.domain.patterns import lazy_pattern
from perles.templates.expand.cells import FANS, Made, made_of
from perles.templates.expand.reader import MAX_EDGES
from perles.templates.keys.top import MAX_TASKS
from perles.templates.lenient import listed, plain_keys
from perles.templates.values import found_in

_FROM_TASK: Final = lazy_pattern(r"\{\{-?\s*tasks\.[^{}]*\}\}")
_MARK: Final = lazy_pattern(r"\{\{|\{%|\{#")


def tasks_of(items: Sequence[Node]) -> list[Made]:
    """The tasks that the nodes stand for. Raises `UsageError` that names file, line and key."""
    found: list[Made] = []
    for item in items:
        for made in _made(item):
            if len(found) >= MAX_TASKS:
                raise item.error(f"more than {MAX_TASKS} tasks are too many")
            found.append(made)
    return found


def _made(item: Node) -> Iterator[Made]:
    entries = item.mapping()
    fans = [entries[name] for name in FANS if name in entries and entries[name].value is not None]
    if not fans:
        yield Made(item, {})
        return
    for fan in fans:
        for text in fan.texts():
            _check_known(text)
    yield from made_of(item, {}, keeps_args=True)


def _check_known(node: Node) -> None:
    """Refuse a value that depends on arguments: it is filled in when the nodes are counted."""
    text = node.text()
    for one in reversed([one for one in found_in(text) if one.path.startswith("matrix.")]):
        text = text[: one.start] + text[one.end :]
    if _MARK.search(_FROM_TASK.sub("", text)):
        raise node.error(
            "arguments are not known here, where the tasks are counted; write the values out, or "
            "let a task print them: for_each: '{{ tasks.KEY.output }}'"
        )


class Names:
    """The plain keys of tasks by how they are written, and the names that stand for several."""

    def __init__(self, tasks: Sequence[Made]) -> None:
        self.keys: Mapping[str, str] = plain_keys([made.node for made in tasks])
        self.groups: dict[str, list[str]] = {}
        self._edges = 0
        for key, made in zip(self.keys.values(), tasks, strict=True):
            for group in made.groups:
                if group in self.keys:
                    raise made.node.error(
                        f"{group!r} stands for several tasks, such as {key}, and for another "
                        "node; rename one"
                    )
                self.groups.setdefault(group, []).append(key)

    def after(self, node: Node, written: str) -> Node:
        """What a node waits for, by plain keys. Raises `UsageError` for what is no node."""
        found: dict[str, Node] = {}
        for item in [node] if isinstance(node.value, str) else listed(node):
            name = item.text()
            if name not in self.keys and name not in self.groups:
                raise item.error(
                    f"{written} waits for {name!r}, which is no node's key (unknown node in "
                    f"After reference){nearest(name, [*self.keys, *self.groups])}"
                )
            keys = self.groups.get(name) or [self.keys[name]]
            found |= {key: item.having(key) for key in keys}
        self._edges += len(found)
        if self._edges > MAX_EDGES:
            raise node.error(
                f"the tasks wait for more than {MAX_EDGES} others; put a task between two groups"
            )
        return node.having(list(found.values()))

    def source(self, fan_out: FanOut | None, node: Node) -> FanOut | None:
        """Where the items are, by a plain key. Raises `UsageError` where none has them."""
        if fan_out is None:
            return None
        if fan_out.task in self.groups:
            some = ", ".join(self.groups[fan_out.task][:3])
            raise node.error(
                f"for_each: tasks.{fan_out.task} stands for several tasks; name one of them: {some}"
            )
        return replace(fan_out, task=self.keys.get(fan_out.task, fan_out.task))
