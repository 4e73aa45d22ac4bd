"""What the coordinator of a template's workflow is told, and what is added to its tasks' texts."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from perles.config import yamlfile
from perles.domain.patterns import lazy_pattern
from perles.domain.specs import TaskSpec
from perles.templates.template import Template

LEAD: Final = Path(__file__).with_name("builtin") / "lead.md"
"""How to lead a workflow whose tasks are there already."""
MAX_LISTED: Final = 200
_TRACKER: Final = lazy_pattern(
    r"\bbd\s+(?:show|ready|create|update|close|dep|list|comment)\b|\bspawn_worker\(role"
)
_FOR_COORDINATOR: Final = """\
# Names that differ here

The text above may name another tracker and other tools. There is no `bd` here, and no epic in it:
- `bd show EPIC` or `bd ready`: list_tasks, whose tasks are those of the epic; what the workflow \
is about stands in the goal.
- `bd show TASK`: get_task_status. `bd create`: create_task. `bd dep add`: after of create_task \
or update_task. `bd update`: update_task. `bd close TASK`: mark_task_complete.
- `bd close EPIC` and the end: signal_workflow_complete, status success, partial or aborted.
- spawn_worker takes agent_type (implementer, reviewer or researcher); workers are numbered in \
the order in which you spawn them.
- assign_task takes worker_id, task_id and, for what you add, summary.\
"""
_FOR_WORKERS: Final = """\
There is no `bd` here. Where the text above has you create or change tasks with it, put each into \
your report instead (title, what to do, how to know that it is done, what it waits for): the \
coordinator creates them. What a task says you were given with it.\
"""


def instructions(template: Template, tasks: Sequence[TaskSpec]) -> str:
    """How the coordinator is to lead the workflow. Raises `UsageError`."""
    text = yamlfile.read_text(template.system_prompt or LEAD).strip()
    if template.system_prompt is not None and _TRACKER.search(text):
        text = f"{text}\n\n{_FOR_COORDINATOR}"
    meant = [task for task in tasks if task.assignee not in (None, "human")][:MAX_LISTED]
    if meant:
        lines = [f"- {task.key}: {task.assignee}" for task in meant]
        text = "\n".join([text, "", "# Who is meant for which task", "", *lines])
    return text


def with_files(body: str, inputs: Mapping[str, str], outputs: Mapping[str, str]) -> str:
    """The text of a task with what it takes and makes, and with what differs here."""
    parts = [body.rstrip()]
    if _TRACKER.search(body):
        parts.append(_FOR_WORKERS)
    if inputs:
        parts.append("Files that you are given:\n" + _listed(inputs))
    if outputs:
        parts.append(
            "Files that you must make; your report is refused until they are there:\n"
            + _listed(outputs)
        )
    return "\n\n".join(part for part in parts if part)


def _listed(files: Mapping[str, str]) -> str:
    return "\n".join(f"- {path}" for path in files.values())
