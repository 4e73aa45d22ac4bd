"""Files that list tasks: which form a file has, and the tasks in it."""

import json
from pathlib import Path
from typing import Any, Final

from perles.config import yamlfile
from perles.domain.errors import UsageError
from perles.domain.specs import TaskSpec
from perles.templates.task_files import beads, checklist, issues, yaml_list
from perles.templates.task_files.item import Item, as_tasks

MAX_BYTES: Final = 8 * 1024 * 1024
PLAIN: Final = TaskSpec(key="pattern", name="pattern")


def read_tasks(path: Path, *, only: str = "", pattern: TaskSpec = PLAIN) -> list[TaskSpec]:
    """The tasks that a file lists and that are not done; each is as `pattern` beside that.

    The form is told by the content: a checklist in Markdown, YAML, issues of GitHub as JSON, or
    an export of beads as JSON lines. `only` is the id of an epic whose tasks are wanted. Raises
    `UsageError` that names file and line.
    """
    text = yamlfile.read_text(path, MAX_BYTES, pipes=True)
    return as_tasks(items_of(text, str(path), only=only), pattern, str(path))


def is_task_list(path: Path) -> bool:
    """Whether a file lists tasks, rather than being a pipeline. Raises `UsageError`."""
    text = yamlfile.read_text(path, MAX_BYTES, pipes=True)
    rows = _json(text)
    if isinstance(rows, list):
        return True
    if checklist.is_checklist(text) or _json_lines(text, str(path)) is not None:
        return True
    root = yamlfile.parse(text, str(path))
    if not isinstance(root.value, dict):
        return isinstance(root.value, list)
    tasks = root.value.get("tasks")
    items = tasks.value if tasks is not None and isinstance(tasks.value, list) else []
    names = {name for item in items if isinstance(item.value, dict) for name in item.value}
    titled = bool(names & {"title", "body", "description"})
    return titled or any(isinstance(item.value, str) for item in items)


def items_of(text: str, source: str, *, only: str = "") -> list[Item]:
    """The same from a text, each with its place, finished ones too."""
    rows = _json(text)
    if isinstance(rows, list) and rows and all(isinstance(row, dict) for row in rows):
        found = beads.read(rows, source, only) if beads.is_beads(rows) else None
        if found is None and issues.is_issues(rows) and not only:
            found = issues.read(rows, source)
        if found is not None:
            return found
    lines = _json_lines(text, source)
    if lines is not None:
        return beads.read(lines, source, only)
    if only:
        raise UsageError(f"cannot look for the epic {only!r} in {source}: it has no epics")
    if checklist.is_checklist(text):
        return checklist.read(text, source)
    return yaml_list.read(text, source)


def _json(text: str) -> Any:
    if not text.lstrip().startswith(("[", "{")):
        return None
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return None
    return [found] if isinstance(found, dict) and beads.is_beads([found]) else found


def _json_lines(text: str, source: str) -> list[dict[str, Any]] | None:
    """The objects of a file with one on each line; None for another file. Raises `UsageError`."""
    lines = [(n, line) for n, line in enumerate(text.splitlines(), start=1) if line.strip()]
    if not lines or not lines[0][1].lstrip().startswith("{"):
        return None
    try:
        first = json.loads(lines[0][1])
    except (ValueError, RecursionError):
        return None
    if not isinstance(first, dict) or not beads.is_beads([first]):
        return None
    found = []
    for number, line in lines:
        try:
            row = json.loads(line)
        except (ValueError, RecursionError):
            raise UsageError(
                f"cannot use {source}:{number}: the line is no JSON; each line is one task"
            ) from None
        if not isinstance(row, dict) or not beads.is_beads([row]):
            raise UsageError(f"cannot use {source}:{number}: no task with id and title")
        found.append({**row, beads.LINE: number})
    return found
