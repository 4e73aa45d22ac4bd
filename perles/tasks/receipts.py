"""What a task left in its repository, as git shows it: kept on the task, told in an event."""

from typing import Any, Final

from perles.domain.quoting import in_line
from perles.store import statements
from perles.store.events import journal
from perles.store.schema.tasks import Task
from perles.store.transaction import Tx
from perles.workspace.commits import Commit, Look, as_receipt

MAX_TOLD: Final = 10
"""Commits that a coordinator sees by name."""


def keep(tx: Tx, task: Task, look: Look | None) -> None:
    """Keep what git shows of the task, where it shows something that it did not before.

    Workers share a folder: what another one named as its own is not this task's.
    """
    if look is None or look.error is not None or not look.commits:
        return
    theirs = _named_by_others(tx, task)
    mine = [commit for commit in look.commits if commit.named or commit.id not in theirs]
    look = look._replace(commits=mine)
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


def named(task: Task) -> list[str]:
    """The ids of the commits that the task's worker named as its own."""
    kept = journal.decode(task.receipt).get("commits", ())
    return [commit["id"] for commit in kept if commit.get("named")]


def _named_by_others(tx: Tx, task: Task) -> set[str]:
    tasks = tx.all(Task, statements.TASKS_OF, workflow_id=task.workflow_id)
    return {id for other in tasks if other.id != task.id for id in named(other)}


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
