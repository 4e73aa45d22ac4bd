"""A task that goes back to the worker that reported it: what it left is not good enough yet."""

from collections.abc import Mapping
from typing import Any, Literal, NamedTuple

from perles.domain.states import GONE_AGENTS, PHASE
from perles.fabric import messages
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.transaction import Tx
from perles.store.transition import fire


class Counted(NamedTuple):
    """For what reason an attempt is sent back, as the task's outputs count it, and how often."""

    reason: Literal["sent_back", "asked_for_files"]
    most: int


def send_back(tx: Tx, task: Task, outputs: Mapping[str, Any], counted: Counted, body: str) -> bool:
    """Have the worker go on with the task, of which `body` says why; whether that can be done.

    It cannot more than `most` times an attempt, or where the worker has not reported or is gone.
    `outputs` are the task's new ones.
    """
    before = outputs.get(counted.reason) or {}
    times = int(before.get("times", 0)) if before.get("attempt") == task.attempt else 0
    worker = _reporter(tx, task)
    if worker is None or times >= counted.most:
        return False
    count: dict[str, Any] = {counted.reason: {"attempt": task.attempt, "times": times + 1}}
    _hand_back(tx, task, worker, {**outputs, **count}, body)
    return True


def _reporter(tx: Tx, task: Task) -> Agent | None:
    """The worker that reported the task and still has it; None where there is none."""
    if task.implementer_id is None:
        return None
    worker = tx.need(Agent, task.implementer_id)
    has_it = worker.task_id == task.id and worker.status not in GONE_AGENTS
    return worker if has_it and worker.phase == "awaiting_review" else None


def _hand_back(tx: Tx, task: Task, worker: Agent, outputs: Mapping[str, Any], body: str) -> None:
    stored = journal.encode({**outputs, "reported_attempt": None})
    tx.update(Task, task.id, outputs=stored, exit_code=None)
    fire(tx, PHASE, worker.id, "deny")
    tx.update(Agent, worker.id, silences=0)
    messages.post(tx, worker, sender="perles", kind="system", body=body, task_id=task.id)
