"""The keys that say when a task runs, and what its failure means: when, continue_on_error."""

from collections.abc import Mapping
from dataclasses import replace
from typing import Any, Final

from perles.config.yamlfile import Node
from perles.domain.condition_tree import ConditionError
from perles.domain.conditions import MAX_LENGTH
from perles.domain.flow import ALWAYS, ON_FAILURE, condition_of
from perles.domain.specs import TaskSpec
from perles.templates.keys.key import TASKS, TOPS, Defaults, Entries, Family, Key
from perles.templates.keys.shapes import YES_OR_NO, items


def _when(node: Node) -> str:
    """`always`, `on_failure`, or a condition. Raises `UsageError`."""
    text = node.text().strip()
    try:
        condition_of(text)
    except ConditionError as error:
        raise node.error(
            f"{error}; it is {ALWAYS}, {ON_FAILURE}, or a condition such as "
            "tasks.test.status == 'failed'"
        ) from None
    return text


def _task(entries: Entries, _above: Defaults) -> Mapping[str, Any]:
    return {"when": _when(entries["when"]) if "when" in entries else None}


def _execution(entries: Entries, _above: Defaults) -> Mapping[str, Any]:
    node = entries.get("continue_on_error")
    return {} if node is None else {"continue_on_error": node.boolean()}


def last(task: TaskSpec) -> TaskSpec:
    """A task as it stands under `finally`: it comes last, whatever happened before."""
    return replace(task, last=True, when=task.when or ALWAYS)


FAMILY: Final = Family(
    name="flow",
    title="Order and conditions",
    task=_task,
    execution=_execution,
    keys=(
        Key(
            name="when",
            at=TASKS,
            schema={"type": ["string", "boolean"], "maxLength": MAX_LENGTH},
            doc="When the task runs: `always`, `on_failure`, or a condition.",
            example="- {key: test, run: make test}\n"
            "- {key: report, run: ./report.sh, after: test, when: always}\n"
            "- key: retest\n  run: make test-verbose\n  after: test\n"
            "  when: tasks.test.exit_code == 2 and not contains(tasks.test.output, 'No rule')",
        ),
        Key(
            name="continue_on_error",
            at=TASKS,
            schema=YES_OR_NO,
            doc="`true`: a failure of this task does not fail the workflow, and the tasks after "
            "it run.",
            example="- {key: lint, run: ruff check ., continue_on_error: true}",
        ),
        Key(
            name="finally",
            at=TOPS,
            schema=items({"$ref": "#/$defs/task"}, 1),
            doc="Tasks that run after all others have ended, whatever the result.",
            example="finally: [{key: cleanup, run: docker compose down}]",
        ),
    ),
)
