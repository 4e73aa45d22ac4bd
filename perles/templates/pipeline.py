"""Pipeline files: tasks that are shell commands, and what each waits for.

name: release check
workers: 3
env: {LANG: C.UTF-8}
tasks:
  - key: lint
    run: ruff check .
  - key: unit
    name: Unit tests
    run: pytest -q
    after: [lint]
    timeout: 10m
    retries: 1
    env: {CI: "1"}
  - key: notes
    prompt: Write NOTES.md about this result of the tests; {{ tasks.unit.output }}
    worker: claude:sonnet
    after: [unit]
"""

import hashlib
from pathlib import Path
from typing import Final

from perles.config import yamlfile
from perles.config.yamlfile import Node
from perles.domain.secrecy import masked
from perles.domain.specs import Plan, TaskSpec
from perles.templates import graph
from perles.templates.keys import table
from perles.templates.keys.flow import last
from perles.templates.keys.key import At, Defaults
from perles.templates.keys.kinds import check_kind
from perles.templates.keys.merge import merge
from perles.templates.keys.texts import short_text
from perles.templates.keys.top import MAX_TASKS, roles, workers
from perles.templates.keys.worktree import worktree

MAX_BYTES: Final = 8 * 1024 * 1024
"""Of a file: its scripts stand in it."""


def read_pipeline(path: Path) -> Plan:
    """The plan of a pipeline file. Raises `UsageError` that names file, line and key."""
    text = yamlfile.read_text(path, MAX_BYTES, pipes=True)
    root = yamlfile.parse(text, str(path))
    entries = root.mapping(table.names(At.FILE))
    for needed in ("name", "tasks"):
        if needed not in entries:
            raise root.error(f"{needed} is missing; a pipeline needs name and tasks")
    above = table.defaults(entries)
    tasks = _tasks(entries["tasks"], entries.get("finally"), above)
    return Plan(
        template_id="pipeline",
        name=short_text(entries["name"]),
        tasks=tasks,
        workers=workers(entries),
        roles=roles(entries),
        worktree=worktree(entries),
        merge=merge(entries, above),
        definition={
            "source": str(path.absolute()),
            "sha256": hashlib.sha256(text.encode()).hexdigest(),
            "pipeline": masked(root.plain(), ()),  # the tasks have the values
        },
    )


def _tasks(node: Node, finals: Node | None, above: Defaults) -> tuple[TaskSpec, ...]:
    """All tasks, those that come last at the end."""
    items = node.items()
    if not items:
        raise node.error("a pipeline needs at least one task")
    ordinary = len(items)
    items = [*items, *(finals.items() if finals is not None else ())]
    if len(items) > MAX_TASKS:
        raise node.error(f"{len(items)} tasks are too many; {MAX_TASKS} at most")
    tasks: dict[str, TaskSpec] = {}
    for number, item in enumerate(items):
        task = _task(item, above) if number < ordinary else last(_task(item, above))
        if task.key in tasks:
            raise item.mapping()["key"].error(f"two tasks have the key {task.key!r}; rename one")
        tasks[task.key] = task
    graph.check(items, tasks)
    return tuple(tasks.values())


def _task(item: Node, above: Defaults) -> TaskSpec:
    entries = item.mapping(table.names(At.TASK))
    check_kind(item, entries)
    return table.task(entries, above)
