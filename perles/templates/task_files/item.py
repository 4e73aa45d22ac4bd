"""A task as a file lists it, whatever the form of the file; and the tasks of a plan made of it."""

from collections.abc import Mapping, Sequence
from dataclasses import field, fields, replace
from typing import Any, Final

from perles.domain.errors import UsageError
from perles.domain.execution import Execution
from perles.domain.nearest import nearest
from perles.domain.records import dataclass
from perles.domain.slug import slug
from perles.domain.specs import TaskSpec
from perles.templates.graph import find_circle
from perles.templates.keys.texts import MAX_TEXT, free_key, is_key

MAX_TASKS: Final = 1000
_SHORT: Final = 40
"""Letters of a key that is made from a title."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Item:
    """A task of a file. `name` is what others call it there, "" where the file has no such names.

    `more` are fields of a `TaskSpec` that the file says itself.
    """

    where: str
    title: str
    body: str = ""
    name: str = ""
    after: Sequence[str] = ()
    done: bool = False
    after_all_above: bool = False
    more: Mapping[str, Any] = field(default_factory=dict)


def as_tasks(items: Sequence[Item], pattern: TaskSpec, source: str) -> list[TaskSpec]:
    """The tasks that are not done yet, in the order of the file.

    Raises `UsageError` that names the place of what is wrong.
    """
    if len(items) > MAX_TASKS:
        raise UsageError(
            f"cannot use {source}: {len(items)} tasks are too many; {MAX_TASKS} at most"
        )
    keys = _keys(items)
    names = {item.name: number for number, item in enumerate(items) if item.name}
    found: list[TaskSpec] = []
    for number, item in enumerate(items):
        if item.done:
            continue
        after = [_blocker(item, name, names) for name in item.after]
        if item.after_all_above:
            open_above = [n for n in range(number) if not items[n].done]
            after += [n for n in open_above if items[n].after_all_above][-1:]
        waits = dict.fromkeys(keys[n] for n in after if not items[n].done)
        made = replace(pattern, key=keys[number], name=_title(item), body=_body(item))
        more = {**item.more, "execution": _execution(item, pattern)}
        found.append(replace(made, after=tuple(waits), **more))
    if not found:
        raise UsageError(f"cannot use {source}: it has no task that is not done")
    _check_circle(found, {keys[n]: item for n, item in enumerate(items)})
    return found


def _keys(items: Sequence[Item]) -> list[str]:
    """A plain key for each: its own where it has one, else one made from its title."""
    taken: set[str] = set()
    found = []
    for item in items:
        if is_key(item.name):
            base = item.name
        else:
            base = slug(item.name)[:_SHORT] or slug(item.title)[:_SHORT].strip("-") or "task"
        key = free_key(base, taken)
        taken.add(key)
        found.append(key)
    return found


def _execution(item: Item, pattern: TaskSpec) -> Execution:
    """How it is done: as the pattern says, but for what the file says itself."""
    own, plain = item.more.get("execution"), Execution()
    if own is None:
        return pattern.execution
    said = {
        one.name: getattr(own, one.name)
        for one in fields(own)
        if getattr(own, one.name) != getattr(plain, one.name)
    }
    return replace(pattern.execution, **said)


def _blocker(item: Item, name: str, names: Mapping[str, int]) -> int:
    if name not in names:
        raise UsageError(
            f"cannot use {item.where}: it waits for {name!r}, which is no task of the file"
            f"{nearest(name, names)}"
        )
    return names[name]


def _title(item: Item) -> str:
    plain = " ".join("".join(c if c.isprintable() else " " for c in item.title).split())
    if not plain:
        raise UsageError(f"cannot use {item.where}: the task has no title")
    return plain if len(plain) <= MAX_TEXT else plain[: MAX_TEXT - 1] + "…"


def _body(item: Item) -> str:
    """What the worker is told. What a file says is text: it refers to no output of a task."""
    body = "\n\n".join(part for part in (item.title.strip(), item.body.strip()) if part)
    return body.replace("{{", "{ {").replace("\0", "")


def _check_circle(tasks: Sequence[TaskSpec], items: Mapping[str, Item]) -> None:
    circle = find_circle({task.key: task.after for task in tasks})
    if circle:
        raise UsageError(
            f"cannot use {items[circle[0]].where}: tasks wait for each other: "
            f"{' -> '.join(circle)}; remove one of these"
        )
