"""Succession: an agent without a turn is retired, a fresh one takes its place with a handover.

The fresh one has a name of its own (coordinator-2, worker-N), a new process and
no memory: what it must know comes as its first message. What was queued for the
old one waits for it, its task and its lease are its own from then on.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from perles.domain.errors import WrongStateError
from perles.domain.machine import need_running
from perles.domain.states import AGENT, PHASE, PhaseTrigger
from perles.engine.resources import ai_calls, leases
from perles.engine.team.names import next_name
from perles.engine.team.spawn import add_agent
from perles.fabric import inbox, messages, posts
from perles.store import statements
from perles.store.events import journal
from perles.store.schema.agents import Agent, Message, Turn
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import ask_user, last_words, reviews
from perles.tasks.briefs import task_brief
from perles.tasks.handover import handover
from perles.tasks.reports import has_duty

if TYPE_CHECKING:
    from perles.engine.context import Context

_PHASES: Final[Mapping[str, tuple[PhaseTrigger, ...]]] = {
    "idle": (),
    "implementing": ("implement",),
    "awaiting_review": ("implement", "report"),
    "addressing_feedback": ("implement", "report", "deny"),
    "committing": ("implement", "report", "approve"),
    "reviewing": ("review",),
}
"""The edges that bring a fresh worker to where the old one stood."""


def put_fresh(tx: Tx, context: Context, agent_id: int, *, why: str, name: str = "") -> Agent:
    """Retire an agent that has no turn, and spawn the one that goes on; that one.

    `name` is the fresh one's where somebody was promised it, else the next one.

    Raises `WrongStateError` when it works, is retired, or its workflow does not run.
    """
    old = tx.need(Agent, agent_id)
    workflow = tx.need(Workflow, old.workflow_id)
    need_running(workflow.state, "replace an agent of", name=workflow.id)
    if old.status == "working":
        raise WrongStateError("agent", old.name, old.status, "replace")
    words = last_words.last_words(tx, old)
    waiting = tx.all(Message, statements.QUEUED_MESSAGES, agent_id=old.id)
    phase, task_id = old.phase, old.task_id
    retire(tx, old, why)
    fresh = _spawn(tx, context, workflow, old, name or next_name(tx, workflow.id, old.role))
    inbox.hand_over(tx, old, fresh)
    ask_user.hand_on(tx, old, fresh)
    body = handover(tx, old, why, last_words=words)
    messages.post(tx, fresh, sender="perles", kind="system", body=body)
    for message in waiting:
        messages.drop(tx, message.id)
        tx.insert(
            Message,
            agent_id=fresh.id,
            sender=message.sender,
            sender_kind=message.sender_kind,
            body=message.body,
            status="queued",
            task_id=message.task_id,
        )
    if task_id is not None:
        _take_over_task(tx, context, old, fresh, task_id, phase, waiting)
    return tx.need(Agent, fresh.id)


def retire(tx: Tx, old: Agent, why: str) -> None:
    """Let an agent without a turn go for good; its lease and its messages are its caller's."""
    waiting = tx.first(Turn, statements.QUEUED_TURN_OF, agent_id=old.id)
    if waiting is not None:
        ai_calls.give_up(tx, waiting)
    if old.phase != "idle":
        fire(tx, PHASE, old.id, "cancel", payload={"instead_of": old.name})
    payload = {"name": old.name, "why": why}
    fire(tx, AGENT, old.id, "retire", changes={"retired_at": tx.now}, payload=payload)
    tx.update(Agent, old.id, task_id=None, blocked=None)


def _spawn(tx: Tx, context: Context, workflow: Workflow, old: Agent, name: str) -> Agent:
    session = context.paths.found(workflow.session_dir or "")
    fresh = add_agent(
        tx,
        workflow,
        name,
        old.role,
        session,
        old.agent_type,
        provider=old.provider,
        model=old.model,
    )
    if old.role == "worker" and not leases.hand_on(tx, "worker", old.id, fresh.id):
        limit = context.config.resource_policy.max_workers
        leases.acquire(tx, "worker", limit, workflow.id, fresh.id)
    if old.role == "coordinator":
        journal.append(
            tx,
            "coordinator.replaced",
            {"old": old.name, "new": name},
            workflow_id=workflow.id,
            agent_id=fresh.id,
        )
    return tx.need(Agent, fresh.id)


def _take_over_task(
    tx: Tx,
    context: Context,
    old: Agent,
    fresh: Agent,
    task_id: int,
    phase: str,
    waiting: list[Message],
) -> None:
    """The task is the fresh worker's, in the same attempt: nobody's retries are used up."""
    task = tx.need(Task, task_id)
    tx.update(Agent, fresh.id, task_id=task.id)
    for trigger in _PHASES[phase]:
        fire(tx, PHASE, fresh.id, trigger, payload={"instead_of": old.name})
    if task.implementer_id == old.id:
        tx.update(Task, task.id, implementer_id=fresh.id, assignee=fresh.name)
    if task.reviewer_id == old.id:
        tx.update(Task, task.id, reviewer_id=fresh.id)
    journal.append(
        tx,
        "task.assigned",
        {"key": task.key, "worker": fresh.name, "attempt": task.attempt, "instead_of": old.name},
        workflow_id=task.workflow_id,
        agent_id=fresh.id,
        task_id=task.id,
    )
    text = f"{fresh.name} goes on in the place of {old.name}"
    posts.in_task_thread(tx, tx.need(Task, task.id), posts.PERLES, text)
    _tell_task(tx, context, tx.need(Agent, fresh.id), tx.need(Task, task.id), waiting)


def _tell_task(tx: Tx, context: Context, fresh: Agent, task: Task, waiting: list[Message]) -> None:
    """Tell the fresh worker what it has in hand, unless that waited for the old one."""
    if not has_duty(tx, fresh) or task.id in [message.task_id for message in waiting]:
        return
    letter = reviews.letter_for(tx, fresh, task)
    told = [] if letter is None else [letter]
    if fresh.phase not in ("reviewing", "committing"):
        told.insert(0, _brief(tx, context, fresh, task))
    for body in told:
        messages.post(tx, fresh, sender="perles", kind="coordinator", body=body, task_id=task.id)


def _brief(tx: Tx, context: Context, fresh: Agent, task: Task) -> str:
    workflow = tx.need(Workflow, task.workflow_id)
    brief = task_brief(tx, task, attempt=task.attempt)
    return context.provider_of(fresh, workflow).task_message(brief)
