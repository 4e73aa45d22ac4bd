"""The check of an agent's task: only when it passes, the task is done, whatever anybody says."""

from pathlib import Path
from typing import Any, NamedTuple

from perles.domain.execution import Check
from perles.domain.quoting import quoted
from perles.executor.local.output import tail_of
from perles.store.events import journal
from perles.store.schema.tasks import Task
from perles.store.transaction import Tx
from perles.tasks import sent_back
from perles.tasks.stored_execution import execution_of


class Checked(NamedTuple):
    """How the check of an attempt ended: its exit code, in words, and its last lines."""

    attempt: int
    exit_code: int
    said: str
    tail: list[str]


def check_of(task: Task) -> Check | None:
    """What must pass before the task is done; None where nothing must, or it has."""
    check = execution_of(task).check
    passed = journal.decode(task.outputs).get("check_passed") if check else None
    return None if passed == task.attempt else check


def last_lines(output: Path) -> list[str]:
    """The end of what a check printed."""
    return tail_of(output)


def record_pass(tx: Tx, task: Task, checked: Checked) -> None:
    """The check of this attempt has passed."""
    outputs = {**journal.decode(task.outputs), "check_passed": task.attempt}
    tx.update(Task, task.id, outputs=journal.encode(outputs))
    _tell(tx, task, "task.check_passed", checked)


def send_back(tx: Tx, task: Task, checked: Checked) -> bool:
    """Give the task back to its worker with what the check printed; whether that can be done.

    It cannot more often than the task has retries, or where the worker has not reported or is gone.
    """
    _tell(tx, task, "task.check_failed", checked)
    outputs = {**journal.decode(task.outputs), "tail": checked.tail}
    counted = sent_back.Counted("sent_back", task.retries)
    if sent_back.send_back(tx, task, outputs, counted, letter(task, checked)):
        return True
    tx.update(Task, task.id, outputs=journal.encode(outputs), exit_code=checked.exit_code)
    return False


def letter(task: Task, checked: Checked) -> str:
    """The message to the worker about a check that did not pass."""
    check = execution_of(task).check
    ran = "\n".join(check.commands if check else ())
    return (
        f"Task {task.key} is not done: its check did not pass ({checked.said}). It runs:\n"
        f"{quoted(ran)}\nIts last lines:\n{quoted(chr(10).join(checked.tail) or '(nothing)')}\n"
        "Mend what is wrong, then call report_implementation_complete again."
    )


def _tell(tx: Tx, task: Task, type: str, checked: Checked) -> None:
    payload: dict[str, Any] = {"key": task.key, "attempt": task.attempt, "text": checked.said}
    payload |= {"exit_code": checked.exit_code, "tail": checked.tail}
    journal.append(tx, type, payload, workflow_id=task.workflow_id, task_id=task.id)
