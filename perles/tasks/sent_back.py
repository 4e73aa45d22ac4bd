"""A task that goes back to the worker that reported it: what it left is not good enough yet."""

from collections.abc import Mapping
from typing import Any

from perles.domain.states import GONE_AGENTS, PHASE
from perles.fabric import messages
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.transaction import Tx
from perles.store.transition import fire


def times_sent(outputs: Mapping[str, Any], name: str, attempt: int) -> int:
    """How often this attempt was sent back, as `outputs` counts it under a name."""
    before = outputs.get(name) or {}
    return int(before.get("times", 0)) if before.get("attempt") == attempt else 0


def reporter(tx: Tx, task: Task) -> Agent | None:
    """The worker that reported the task and still has it; None where there is none."""
    if task.implementer_id is None:
        return None
    worker = tx.need(Agent, task.implementer_id)
    has_it = worker.task_id == task.id and worker.status not in GONE_AGENTS
    return worker if has_it and worker.phase == "awaiting_review" else None


def send_back(tx: Tx, task: Task, worker: Agent, outputs: Mapping[str, Any], body: str) -> None:
    """Have the worker go on with the task: `body` says why, `outputs` are the task's new ones."""
    stored = journal.encode({**outputs, "reported_attempt": None})
    tx.update(Task, task.id, outputs=stored, exit_code=None)
    fire(tx, PHASE, worker.id, "deny")
    tx.update(Agent, worker.id, silences=0)
    messages.post(tx, worker, sender="perles", kind="system", body=body, task_id=task.id)
