"""What a task left in its repository, as git shows it: kept on the task, told in an event."""

from typing import Any, Final

from perles.domain.quoting import in_line
from perles.store.database import Tx
from perles.store.events import journal
from perles.store.schema.tasks import Task
from perles.workspace.commits import Commit, Look, as_receipt

MAX_TOLD: Final = 10
"""Commits that a coordinator is told of by name."""


def keep(tx: Tx, task: Task, look: Look | None) -> None:
    """Keep what git shows of the task, where it shows something that it did not before."""
    if look is None or look.error is not None:
        return
    receipt = tx.secrets.mask(tx, task.workflow_id, as_receipt(look, task.base_commit))
    if not receipt["commits"] or receipt == journal.decode(task.receipt):
        return
    tx.update(Task, task.id, receipt=journal.encode(receipt))
    payload: dict[str, Any] = {
        "key": task.key,
        "branch": receipt["branch"],
        "commits": [commit["id"] for commit in receipt["commits"]],
        "files": sum(commit["changed"] for commit in receipt["commits"]),
    }
    journal.append(
        tx,
        "task.receipt",
        payload,
        workflow_id=task.workflow_id,
        agent_id=task.implementer_id,
        task_id=task.id,
    )


def told(look: Look | None) -> str:
    """What git shows, for a coordinator; "" where it was not asked."""
    if look is None:
        return ""
    if look.error is not None:
        return f"\n({in_line(look.error)}: nobody has checked what was committed)"
    if not look.commits:
        return "\n(git shows no commit since the task was assigned)"
    lines = [_told(commit) for commit in look.commits[:MAX_TOLD]]
    if len(look.commits) > MAX_TOLD or look.more:
        lines.append("- and more")
    where = f"on {in_line(look.branch)}" if look.branch else "on no branch"
    return f"\nGit shows, {where}:\n" + "\n".join(lines)


def _told(commit: Commit) -> str:
    aside = "" if commit.on_branch else ", not on this branch"
    files = "1 file" if commit.changed == 1 else f"{commit.changed} files"
    return f"- {commit.id[:12]} {in_line(commit.subject)} ({files}{aside})"
