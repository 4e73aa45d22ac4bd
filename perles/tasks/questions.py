"""Tasks that wait for a person: asked as soon as they are ready. Whether anything waits for one."""

from perles.domain.states import TASK
from perles.store.expressions import bindparam, select
from perles.store.schema.questions import Question
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.transaction import Tx
from perles.store.transition import fire

_READY = Sql(
    select(Task.id)
    .where(
        Task.workflow_id == bindparam("workflow_id"),
        Task.status == "ready",
        Task.assignee == "human",
    )
    .order_by(Task.id)
)
_WAITING = Sql(
    select(Task.id).where(
        Task.workflow_id == bindparam("workflow_id"), Task.status == "waiting_for_user"
    )
)


_ASKED = Sql(
    select(Question.id)
    .where(Question.workflow_id == bindparam("workflow_id"), Question.status == "open")
    .limit(1)
)


def ask_people(tx: Tx, workflow_id: str) -> None:
    """Put every ready human task to the person, once the workflow has started."""
    if tx.need(Workflow, workflow_id).state in ("running", "paused"):
        for row in tx.rows(_READY, workflow_id=workflow_id):
            task = tx.need(Task, row["id"])
            payload = {"key": task.key, "question": question_of(task)}
            fire(tx, TASK, task.id, "ask", changes={"started_at": tx.now}, payload=payload)
    note_waiting(tx, workflow_id)


def question_of(task: Task) -> str:
    """What the person is asked."""
    return task.question or task.body or task.title


def note_waiting(tx: Tx, workflow_id: str) -> None:
    """Keep on the workflow's row whether a task, or an agent of it, waits for a person."""
    tasks = tx.rows(_WAITING, workflow_id=workflow_id)
    waits = int(bool(tasks) or tx.row(_ASKED, workflow_id=workflow_id) is not None)
    if tx.need(Workflow, workflow_id).waiting_for_user != waits:
        tx.update(Workflow, workflow_id, waiting_for_user=waits)
