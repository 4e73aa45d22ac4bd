"""An attempt at a task: begun by its worker, and ended.

What the worker of one that ended without success did and said is kept: the brief tells the next
worker of the task about it.
"""

from typing import Any, Final

from perles.domain.quoting import quoted
from perles.domain.states import PHASE, TASK
from perles.fabric import messages
from perles.store import statements
from perles.store.events import journal
from perles.store.schema.agents import Agent, Message
from perles.store.schema.tasks import Task
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks.last_words import last_words

MAX_WHY: Final = 500
"""Characters of the reason that the next worker is told."""


def begin(tx: Tx, task: Task, worker: Agent | None, **more: Any) -> None:
    """A worker has the task from now on, with `more` columns of it set anew.

    Without one the attempt only counts: nothing could be started for it.
    """
    attempt, name = task.attempt + 1, None if worker is None else worker.name
    changes = {
        "implementer_id": None if worker is None else worker.id,
        "assignee": name,
        "attempt": attempt,
        "started_at": task.started_at or tx.now,
        "exit_code": None,
        "failure": None,
        **more,
    }
    payload = {"key": task.key, "worker": name, "attempt": attempt}
    fire(tx, TASK, task.id, "assign", changes=changes, payload=payload)
    if worker is not None:
        tx.update(Agent, worker.id, task_id=task.id, silences=0)
        fire(tx, PHASE, worker.id, "implement")


def take_from_worker(tx: Tx, task: Task, why: str) -> None:
    """The attempt has ended: keep what its worker did and said, and free it for another task."""
    free_reviewer(tx, task)
    if task.implementer_id is None:
        return
    worker = tx.need(Agent, task.implementer_id)
    if worker.task_id != task.id:
        return
    earlier = {
        "worker": worker.name,
        "why": why[:MAX_WHY],
        "said": last_words(tx, worker),
    }
    outputs = {**journal.decode(task.outputs), "earlier": earlier}
    tx.update(Task, task.id, outputs=journal.encode(outputs))
    free_worker(tx, task)


def free_worker(tx: Tx, task: Task) -> None:
    """Who worked on an ended attempt, or reviewed it, can take another task."""
    free_reviewer(tx, task)
    if task.implementer_id is not None:
        _free(tx, task, tx.need(Agent, task.implementer_id))


def free_reviewer(tx: Tx, task: Task) -> Agent | None:
    """Take the review of a task from its reviewer, and the request for it; that worker."""
    if task.reviewer_id is None:
        return None
    reviewer = tx.need(Agent, task.reviewer_id)
    if reviewer.task_id != task.id or reviewer.phase != "reviewing":
        return None
    _free(tx, task, reviewer)
    for message in tx.all(Message, statements.QUEUED_MESSAGES, agent_id=reviewer.id):
        if message.task_id == task.id:
            messages.drop(tx, message.id)
    return reviewer


def _free(tx: Tx, task: Task, worker: Agent) -> None:
    if worker.task_id != task.id:
        return
    if worker.phase != "idle":
        done = worker.phase == "committing" and tx.need(Task, task.id).status == "done"
        fire(tx, PHASE, worker.id, "finish" if done else "cancel")
    tx.update(Agent, worker.id, task_id=None, blocked=None)


def of_earlier(task: Task) -> str:
    """The words for the next worker about the attempt before; "" where there is nothing to tell."""
    earlier = journal.decode(task.outputs).get("earlier")
    if not earlier:
        return ""
    name = earlier["worker"]
    lines = [f"{name} had this task before and did not finish it:", quoted(earlier["why"])]
    if earlier["said"]:
        lines += [f"The last that {name} said and did:", quoted("\n".join(earlier["said"]))]
    return "\n".join(lines)
