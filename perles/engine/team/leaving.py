"""How an agent leaves its work: its slot, its queued turn and its task are free for others.

A task that is taken from a worker goes back into the plan, and the attempt does not count
against its retries: nobody failed. Each is one transaction, for an agent that has no turn.
"""

from perles.domain.states import AGENT, TASK
from perles.engine.resources import ai_calls, leases
from perles.engine.team import succession
from perles.fabric import messages
from perles.store import statements
from perles.store.schema.agents import Agent, Message, Turn
from perles.store.schema.tasks import Task
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import attempts
from perles.tasks.reports import has_report


def stop(tx: Tx, agent: Agent, *, by: str) -> str:
    """It takes no turn until it is resumed, its messages wait; what to say of its task."""
    if agent.status != "stopped":
        fire(tx, AGENT, agent.id, "stop")
    return _take_from(tx, agent, by)


def retire(tx: Tx, agent: Agent, *, why: str, by: str) -> str:
    """It goes for good, and its messages with it; what to say of its task."""
    note = _take_from(tx, agent, by)
    succession.retire(tx, tx.need(Agent, agent.id), why)
    for message in tx.rows(statements.QUEUED_MESSAGES, agent_id=agent.id):
        messages.drop(tx, message["id"])
    return note


def _take_from(tx: Tx, agent: Agent, by: str) -> str:
    waiting = tx.first(Turn, statements.QUEUED_TURN_OF, agent_id=agent.id)
    if waiting is not None:
        ai_calls.give_up(tx, waiting)
    if agent.role != "worker":
        return ""
    leases.release_agent(tx, agent.id, "worker")
    task = None if agent.task_id is None else tx.need(Task, agent.task_id)
    if task is None:
        return ""
    if agent.phase == "reviewing":
        attempts.free_reviewer(tx, task)
        tx.update(Task, task.id, reviewer_id=None)
        return f"; assign_task_review gives its review of task {task.key} to another worker"
    if task.status in ("in_review", "denied", "approved", "committing"):
        return f"; its task {task.key} is {task.status}: assign_task gives it to another worker"
    if task.status != "in_progress" or task.implementer_id != agent.id:
        return ""
    if has_report(task):
        return f"; its report on task {task.key} stands: settle the task"
    for message in tx.all(Message, statements.QUEUED_MESSAGES, agent_id=agent.id):
        if message.task_id == task.id:
            messages.drop(tx, message.id)
    attempts.take_from_worker(tx, task, f"{by} took it back")
    changes = {"retries": task.retries + 1, "assignee": None, "implementer_id": None}
    payload = {"key": task.key, "attempt": task.attempt, "reason": f"taken from {agent.name}"}
    fire(tx, TASK, task.id, "retry", changes=changes, payload=payload)
    return f"; its task {task.key} is ready again"
