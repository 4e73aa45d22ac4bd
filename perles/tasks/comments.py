"""What was said about a task: reports, reviews, verdicts, feedback and obstacles, in order."""

from typing import Final, Literal

from perles.store.expressions import bindparam, select
from perles.store.reader import Reader
from perles.store.schema.tasks import Task, TaskComment
from perles.store.sql import Sql
from perles.store.transaction import Tx

CommentKind = Literal[
    "report", "review", "approved", "denied", "feedback", "approval", "commit", "blocked", "answer"
]

COMMENTS_OF: Final = Sql(
    select(TaskComment).where(TaskComment.task_id == bindparam("task_id")).order_by(TaskComment.id)
)
OF_ATTEMPT: Final = Sql(
    select(TaskComment)
    .where(
        TaskComment.task_id == bindparam("task_id"),
        TaskComment.attempt == bindparam("attempt"),
        TaskComment.kind == bindparam("kind"),
    )
    .order_by(TaskComment.id)
)


def add(tx: Tx, task: Task, author: str, kind: CommentKind, body: str) -> None:
    """Keep what `author` said about the task, in the round of reviews that it is in now."""
    tx.insert(
        TaskComment,
        task_id=task.id,
        author=author,
        kind=kind,
        body=body,
        attempt=task.attempt,
        round=task.denials + 1,
    )


def of_kind(reader: Reader, task: Task, kind: CommentKind) -> list[TaskComment]:
    """What of this kind was said in the attempt that the task is in now."""
    about = {"task_id": task.id, "attempt": task.attempt, "kind": kind}
    return reader.all(TaskComment, OF_ATTEMPT, **about)
