"""Files that tasks hand on: who makes what another one takes, which therefore waits for it."""

from collections.abc import Mapping
from dataclasses import replace

from perles.config.yamlfile import Node
from perles.domain.nearest import nearest
from perles.domain.specs import TaskSpec
from perles.templates.keys.hand_on import path_problem


def ordered(nodes: Mapping[str, Node], tasks: Mapping[str, TaskSpec]) -> dict[str, TaskSpec]:
    """The tasks, each waiting for the makers of its inputs, then for what its `after` says.

    Files are compared as they are written. `nodes` are the tasks in the file, for errors.
    Raises `UsageError` for one that two tasks make, that none makes, or that is no path.
    """
    makers: dict[str, str] = {}
    for key, task in tasks.items():
        for path in task.outputs.values():
            _check_path(nodes[key], "outputs", path)
            if path in makers:
                raise nodes[key].error(
                    f"outputs: duplicate artifact output: {path} (produced by both "
                    f"{makers[path]} and {key})"
                )
            makers[path] = key
    return {key: _after_makers(nodes[key], task, makers) for key, task in tasks.items()}


def _after_makers(node: Node, task: TaskSpec, makers: Mapping[str, str]) -> TaskSpec:
    if not task.inputs:
        return task
    after = []
    for path in task.inputs.values():
        if path not in makers:
            raise node.error(
                f"inputs: artifact required but not produced: {path} (required by {task.key})"
                f"{nearest(path, makers)}; it must be an output of another task"
            )
        after.append(makers[path])
    return replace(task, after=tuple(dict.fromkeys((*after, *task.after))))


def _check_path(node: Node, name: str, path: str) -> None:
    problem = None if "{{" in path else path_problem(path)
    if problem is not None:
        raise node.error(f"{name}: {path[:80]!r} {problem}")
