"""What tasks wait for: that it exists, that nothing waits for itself, and what is done by then."""

from perles.config.yamlfile import Node
from perles.domain.nearest import nearest
from perles.domain.specs import TaskSpec
from perles.templates.outputs import check_command, references


def check(items: list[Node], tasks: dict[str, TaskSpec]) -> None:
    """Every `after` exists, and no task waits for itself, directly or through others."""
    nodes = {item.mapping()["key"].text(): item for item in items}
    for task in tasks.values():
        for blocker in task.after:
            if blocker not in tasks:
                raise (
                    nodes[task.key]
                    .mapping()["after"]
                    .error(
                        f"{task.key} waits for {blocker!r}, which is no task's key"
                        f"{nearest(blocker, tasks)}"
                    )
                )
    _check_references(nodes, tasks)
    circle = find_circle({task.key: task.after for task in tasks.values()})
    if circle:
        shown = circle if len(circle) <= 10 else [*circle[:9], "…", circle[-1]]
        raise (
            nodes[circle[0]]
            .mapping()["after"]
            .error(f"tasks wait for each other: {' -> '.join(shown)}; remove one of these")
        )


def _check_references(nodes: dict[str, Node], tasks: dict[str, TaskSpec]) -> None:
    """Every `{{ tasks.KEY.output }}` names a task that is done by then."""
    for task in tasks.values():
        entries = nodes[task.key].mapping()
        node = next(
            (entries[kind] for kind in ("prompt", "run") if kind in entries), nodes[task.key]
        )
        for key, wanted in references(task.body or task.run or ""):
            if wanted != "output":
                raise node.error(f"{{{{ tasks.{key}.{wanted} }}}}: a task has only .output")
            if key not in upstream(task.key, tasks):
                raise node.error(
                    f"{{{{ tasks.{key}.output }}}}: {task.key} does not wait for {key!r}; "
                    "name it in after"
                )
        refused = check_command(task.run, task.execution.language) if task.run else None
        if refused is not None:
            raise node.error(refused)


def upstream(key: str, tasks: dict[str, TaskSpec]) -> set[str]:
    """Everything that a task waits for, directly or through others."""
    found: set[str] = set()
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
