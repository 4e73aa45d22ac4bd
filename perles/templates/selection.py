"""A part of a plan: named tasks with what they need, those from one on, all but some."""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import replace
from fnmatch import fnmatchcase

from perles.domain.errors import UsageError
from perles.domain.flow import condition_of
from perles.domain.nearest import nearest
from perles.domain.records import dataclass
from perles.domain.specs import Plan, TaskSpec
from perles.templates.outputs import references


@dataclass(frozen=True, slots=True)
class Selection:
    """`only` these tasks and what they need, `begin` at these, `skip` these.

    Each is a key, the name of a group such as a matrix, or a pattern with `*`.
    """

    only: Sequence[str] = ()
    begin: Sequence[str] = ()
    skip: Sequence[str] = ()

    def __bool__(self) -> bool:
        return bool(self.only or self.begin or self.skip)


def select(plan: Plan, wanted: Selection) -> Plan:
    """The plan with the tasks that are wanted.

    What waited for a task that is left out waits for what that waited for. Tasks that come last
    stay. Raises `UsageError` for a name that fits no task, and where a task that stays needs what
    one that is left out has to tell.
    """
    if not wanted:
        return plan
    tasks = {task.key: task for task in plan.tasks}
    before = {key: task.blockers for key, task in tasks.items()}
    kept = set(tasks)
    if wanted.only:
        kept &= _reached(_keys(plan, wanted.only), before)
    if wanted.begin:
        kept &= _reached(_keys(plan, wanted.begin), _turned(before))
    kept |= {key for key, task in tasks.items() if task.last}
    kept -= set(_keys(plan, wanted.skip))
    if all(tasks[key].last for key in kept):
        raise UsageError("cannot run no task: everything is left out; leave out less")
    for task in (one for one in plan.tasks if one.key in kept):
        _need_nothing_left_out(task, kept)
    found = tuple(_without(task, before, kept) for task in plan.tasks if task.key in kept)
    told = {
        "only": list(wanted.only),
        "from": list(wanted.begin),
        "skip": list(wanted.skip),
        "left_out": len(tasks) - len(found),
    }
    return replace(plan, tasks=found, definition={**plan.definition, "selection": told})


def keys_named(plan: Plan, name: str) -> list[str]:
    """The keys of the tasks that a name or a pattern stands for. Raises `UsageError`."""
    tasks = {task.key: task for task in plan.tasks}
    if name in tasks:
        return [name]
    if name in plan.groups:
        return list(plan.groups[name])
    found = [key for key in tasks if fnmatchcase(key, name)]
    for group, keys in plan.groups.items():
        found += keys if fnmatchcase(group, name) else []
    if not found:
        known = [*plan.groups, *tasks]
        raise UsageError(
            f"cannot find task {name!r}{nearest(name, known)}; perles run FILE --dry-run shows all"
        )
    return list(dict.fromkeys(found))


def _keys(plan: Plan, names: Sequence[str]) -> list[str]:
    return [key for name in names for key in keys_named(plan, name)]


def _turned(before: Mapping[str, Sequence[str]]) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {key: [] for key in before}
    for key, blockers in before.items():
        for blocker in blockers:
            found[blocker].append(key)
    return found


def _reached(start: Sequence[str], edges: Mapping[str, Sequence[str]]) -> set[str]:
    """These, and all to which the edges lead from them."""
    found: set[str] = set()
    waiting = list(start)
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += edges[key]
    return found


def _without(
    task: TaskSpec, before: Mapping[str, Sequence[str]], kept: Collection[str]
) -> TaskSpec:
    """The task, waiting for what those wait for that are left out."""
    found: dict[str, None] = {}
    seen: set[str] = set()
    waiting = list(reversed(task.after))
    while waiting:
        key = waiting.pop()
        if key in kept:
            found[key] = None
        elif key not in seen:
            seen.add(key)
            waiting += reversed(before[key])
    return replace(task, after=tuple(found))


def _need_nothing_left_out(task: TaskSpec, kept: Collection[str]) -> None:
    for key in _told_by(task):
        if key not in kept:
            raise UsageError(
                f"cannot leave out task {key}: {task.key} uses what it tells; "
                f"leave out {task.key}, too, or run both"
            )


def _told_by(task: TaskSpec) -> Iterator[str]:
    """The tasks whose outputs or ends a task asks for."""
    yield from (key for key, _ in references(task.body or task.run or ""))
    if task.fan_out is not None:
        yield task.fan_out.task
    condition = condition_of(task.when)
    if condition is not None:
        yield from condition.tasks
