"""What tasks wait for: that it exists, that nothing waits for itself, and what is done by then."""

from collections.abc import Collection, Mapping

from perles.config.yamlfile import Node
from perles.domain.flow import ON_FAILURE, condition_of
from perles.domain.nearest import nearest
from perles.domain.specs import TaskSpec
from perles.templates.outputs import is_part, references, refusal_of


def check(
    nodes: Mapping[str, Node], tasks: Mapping[str, TaskSpec], parameters: Collection[str] = ()
) -> None:
    """Every `after` exists, and no task waits for itself, directly or through others.

    `nodes` are the places where the tasks stand, by key; `parameters` are the names of the
    arguments that a file takes. Raises `UsageError`.
    """
    for task in tasks.values():
        for blocker in task.after:
            if blocker not in tasks:
                raise _place(nodes[task.key], "after").error(
                    f"{task.key} waits for {blocker!r}, which is no task's key"
                    f"{nearest(blocker, tasks)}"
                )
    check_last(nodes, tasks)
    _check_circle(nodes, tasks)
    _check_references(nodes, tasks)
    check_conditions(nodes, tasks, parameters)


def check_last(nodes: Mapping[str, Node], tasks: Mapping[str, TaskSpec]) -> None:
    """No task waits for one under `finally`, but others there. Raises `UsageError`."""
    for task in tasks.values():
        late = next((key for key in task.after if tasks[key].last and not task.last), None)
        if late is not None:
            raise _place(nodes[task.key], "after").error(
                f"{task.key} waits for {late}, which stands under finally and waits for all "
                "others: a circle; put it under finally, too"
            )


def _check_circle(nodes: Mapping[str, Node], tasks: Mapping[str, TaskSpec]) -> None:
    circle = find_circle({task.key: task.after for task in tasks.values()})
    if circle:
        shown = circle if len(circle) <= 10 else [*circle[:9], "…", circle[-1]]
        raise _place(nodes[circle[0]], "after").error(
            f"tasks wait for each other: {' -> '.join(shown)}; remove one of these"
        )


def _place(node: Node, *names: str) -> Node:
    """The first of these keys that stands there; the whole where none does."""
    entries = node.mapping()
    return next((entries[name] for name in names if name in entries), node)


def check_conditions(
    nodes: Mapping[str, Node], tasks: Mapping[str, TaskSpec], parameters: Collection[str]
) -> None:
    """Every `when` names tasks that are over by then, and arguments that there are."""
    for task in (one for one in tasks.values() if one.when is not None):
        entries = nodes[task.key].mapping()
        node = entries.get("when", nodes[task.key])
        if task.when == ON_FAILURE and not task.after and not task.last:
            raise node.error(f"{task.key} waits for nothing that could fail; name it in after")
        condition = condition_of(task.when)
        if condition is None:
            continue
        before = upstream(task.key, tasks)
        for key in condition.tasks:
            if key not in tasks:
                raise node.error(f"{key!r} is no task's key{nearest(key, tasks)}")
            if key not in before:
                raise node.error(f"{task.key} does not wait for {key!r}; name it in after")
        for name in condition.arguments:
            if name not in parameters:
                hint = nearest(name, parameters) or "; it has none of that name"
                raise node.error(f"args.{name} is no argument of this file{hint}")


def _check_references(nodes: Mapping[str, Node], tasks: Mapping[str, TaskSpec]) -> None:
    """Every `{{ tasks.KEY.output }}` names a task that is done by then."""
    for task in tasks.values():
        node = _place(nodes[task.key], "prompt", "run")
        check_items(node, task, tasks)
        for key, wanted in references(task.body or task.run or ""):
            if not is_part(wanted):
                raise node.error(
                    f"{{{{ tasks.{key}.{wanted} }}}}: a task has only .output, .exit_code and "
                    ".outputs.NAME"
                )
            if key not in task.after and key not in upstream(task.key, tasks):
                raise node.error(
                    f"{{{{ tasks.{key}.{wanted} }}}}: {task.key} does not wait for {key!r}; "
                    "name it in after"
                )
        refused = refusal_of(task)
        if refused is not None:
            raise node.error(refused)


def check_items(node: Node, task: TaskSpec, tasks: Mapping[str, TaskSpec]) -> None:
    """The task whose output has the items is done by then."""
    if task.fan_out is not None and task.fan_out.task not in upstream(task.key, tasks):
        raise node.error(
            f"for_each: {task.key} does not wait for {task.fan_out.task!r}; name it in after"
        )


def upstream(key: str, tasks: Mapping[str, TaskSpec]) -> set[str]:
    """Everything that a task waits for, directly or through others."""
    found = {one.key for one in tasks.values() if not one.last} if tasks[key].last else set()
    waiting = list(tasks[key].after)
    while waiting:
        blocker = waiting.pop()
        if blocker not in found and blocker in tasks:
            found.add(blocker)
            waiting += tasks[blocker].after
    return found


def find_circle(after: dict[str, tuple[str, ...]]) -> list[str]:
    """Keys that wait for each other, the first again at the end; [] when none do."""
    settled: set[str] = set()
    for start in after:
        path: list[str] = []
        stack = [(start, iter(after[start]))] if start not in settled else []
        path.append(start)
        on_path = {start}
        while stack:
            key, blockers = stack[-1]
            blocker = next(blockers, None)
            if blocker is None:
                stack.pop()
                settled.add(key)
                on_path.discard(key)
                path.pop()
            elif blocker in on_path:
                return [*path[path.index(blocker) :], blocker]
            elif blocker not in settled:
                stack.append((blocker, iter(after[blocker])))
                path.append(blocker)
                on_path.add(blocker)
    return []
