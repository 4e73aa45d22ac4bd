"""Turns that end in words where a tool call was due: known when the turn ends, told at once.

A worker with a task in hand owes a report. A coordinator after whose turn nothing is
under way owes the next step, or the end. Both are told what is open, with their own
last words, in the same session. The count of such turns in a row is on the agent's
row; who takes over a task takes over the count, so that it comes to an end.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from perles.agents.provider import Outcome
from perles.domain.commands import Complete, Fail
from perles.domain.provider_choice import BUILTIN
from perles.domain.quoting import in_line, quoted
from perles.engine.end_request import request_end
from perles.engine.team import succession
from perles.fabric import messages
from perles.store import statements
from perles.store.events import journal
from perles.store.expressions import bindparam, exists, select
from perles.store.reader import Reader
from perles.store.schema.agents import Agent, Message, Turn
from perles.store.schema.engine import Command
from perles.store.schema.fabric import InboxItem
from perles.store.schema.questions import Question
from perles.store.schema.resources import NamedLease
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx
from perles.tasks import ask_user
from perles.tasks.last_words import last_words
from perles.tasks.progress import Plan
from perles.tasks.reports import has_duty

if TYPE_CHECKING:
    from perles.engine.context import Context

REMINDERS: Final = 2
"""How often a worker is reminded before a fresh one gets its task, and that one as often."""
MOST_SILENCES: Final = 2 * (REMINDERS + 1)
"""Turns without a report, of a worker and its successor together, after which it has failed."""
MOST_IDLE: Final = 2
"""Turns in a row of a coordinator with nothing under way, after which the workflow ends."""
MAX_QUOTED: Final = 2000
"""Characters of an agent's last words that it is reminded of."""
MAX_SAID: Final = 200
"""Characters of an agent's words in a reason."""

LAST_REFUSAL: Final = Sql(
    select(Command.kind, Command.error)
    .where(
        Command.workflow_id == WORKFLOW_ID,
        Command.agent_id == bindparam("agent_id"),
        Command.status == "rejected",
        Command.created_at >= bindparam("since"),
    )
    .order_by(Command.id.desc())
    .limit(1)
)
_BRING_ON: Final = (
    *("complete", "fail", "pause", "stop"),
    *("send", "post", "approve", "deny", "answer"),
)
"""Commands after which something goes on or is over, beside those on agents."""
# An observer only looks on: whatever it does, nothing goes on by it.
_is_of_workflow = (Agent.workflow_id == WORKFLOW_ID) & (Agent.role != "observer")
UNDER_WAY: Final = Sql(
    select(
        exists().where(_is_of_workflow, Agent.status == "working")
        | exists().where(_is_of_workflow, Agent.role == "coordinator", Agent.status == "failed")
        | exists().where(
            _is_of_workflow,
            Agent.status.in_(["pending", "ready"]),
            Message.agent_id == Agent.id,
            Message.status == "queued",
        )
        | exists().where(
            _is_of_workflow,
            Agent.status.in_(["pending", "ready"]),
            InboxItem.agent_id == Agent.id,
            InboxItem.told_at.is_(None),
        )
        | exists().where(
            Command.workflow_id == WORKFLOW_ID,
            Command.kind.in_(_BRING_ON) | Command.kind.like("agent.%"),
            Command.status.in_(["queued", "running"]),
        )
        | exists().where(Task.workflow_id == WORKFLOW_ID, Task.status == "waiting_for_user")
        | exists().where(
            Task.workflow_id == WORKFLOW_ID,
            Task.status == "pending",
            Task.held_until.is_not(None),
        )
        | exists().where(NamedLease.workflow_id == WORKFLOW_ID, NamedLease.acquired_at.is_(None))
        | exists().where(Question.workflow_id == WORKFLOW_ID, Question.status == "open")
        | exists().where(Workflow.id == WORKFLOW_ID, Workflow.worker_requested_at.is_not(None))
    )
)
"""Whether something goes on in a workflow, waits for its turn or a time, or for a person."""


def owes_report(reader: Reader, agent: Agent) -> bool:
    """Whether a worker has a task or review in hand that nobody told us the end of.

    One that waits for an answer, or for a message that is queued, owes nothing now.
    """
    if agent.role != "worker" or agent.blocked is not None or not has_duty(reader, agent):
        return False
    if ask_user.waits(reader, agent):
        return False
    return not reader.rows(statements.QUEUED_MESSAGES, agent_id=agent.id)


def failure(agent: Agent, outcome: Outcome) -> Outcome | None:
    """What a worker that owes a report has failed for; None while reminding may help.

    Perles' own workers run commands: they do not talk, and their task is not done twice.
    """
    if agent.provider == BUILTIN:
        return Outcome(False, "crashed", "it ended its turn without a report")
    if agent.silences + 1 < MOST_SILENCES:
        return None
    error = f"it ended {REMINDERS + 1} turns in a row without a report, as the one before it did"
    return Outcome(False, "silent", error + _words(outcome.text))


def look_at_worker(tx: Tx, context: Context, agent: Agent, said: str) -> None:
    """A worker's turn has ended well: remind it of a report that it owes, or hand its task on."""
    if agent.status != "ready" or not owes_report(tx, agent):
        return
    number = agent.silences + 1
    tx.update(Agent, agent.id, silences=number)
    is_running = tx.need(Workflow, agent.workflow_id).state == "running"
    if number % (REMINDERS + 1) == 0 and is_running:
        why = f"it ended {REMINDERS + 1} turns in a row without a report"
        fresh = succession.put_fresh(tx, context, agent.id, why=why)
        tx.update(Agent, fresh.id, silences=number)
        _tell(tx, "agent.silent", agent, {"turns": number, "then": f"{fresh.name} takes over"})
        return
    assert agent.task_id is not None
    task = tx.need(Task, agent.task_id)
    _remind(tx, agent, number, _to_worker(tx, agent, task, said), said)


def _to_worker(tx: Tx, agent: Agent, task: Task, said: str) -> str:
    words = _quoted(said or _last_said(tx, agent))
    if agent.phase == "reviewing":
        return (
            f"Your turn has ended without a verdict on task {task.key}. You said last:\n{words}\n"
            "If you have seen enough, call report_review_verdict now. If you have not, go on, and "
            "call it before you end the turn. If you cannot, call report_blocked. Without any of "
            "them a fresh worker gets the review."
        )
    if agent.phase == "committing":
        return (
            f"Your turn has ended without a report on the commit of task {task.key}. You said "
            f"last:\n{words}\nLook with git log whether it is committed; commit it if it is not. "
            "Then call report_implementation_complete with the ids in commits, and exit_code 0, "
            "or 1 where you could not commit. Without a report a fresh worker gets the task."
        )
    return (
        f"Your turn has ended without a report, so nobody knows how far task {task.key} is. "
        f"You said last:\n{words}\n"
        "If the task is done, or cannot be done, call report_implementation_complete now with a "
        "summary, and exit_code 0 or 1. If it is not done, go on, and report before you end the "
        "turn. If you cannot go on without help, call report_blocked. Without any of them a fresh "
        "worker gets the task."
    )


def look_after_command(tx: Tx, context: Context, command: Command) -> None:
    """A command has had its end. While it was under way nobody was reminded or asked: look now."""
    if command.workflow_id is None or context.is_errand:
        return
    if command.kind not in _BRING_ON and not command.kind.startswith("agent."):
        return
    coordinator = tx.first(Agent, statements.COORDINATOR_OF, workflow_id=command.workflow_id)
    if coordinator is None or not context.conductor.leads(tx, coordinator):
        look_at_workflow(tx, command.workflow_id)
        return
    workflow = tx.need(Workflow, command.workflow_id)
    if workflow.state == "running" and coordinator.status == "ready":
        ask_about_stopped(tx, workflow, coordinator)


def look_at_workflow(tx: Tx, workflow_id: str, turn: Turn | None = None, said: str = "") -> None:
    """Where nothing is under way, tell the coordinator, or end the workflow.

    `turn` has just ended, with these last words.
    """
    workflow = tx.need(Workflow, workflow_id)
    coordinator = tx.first(Agent, statements.COORDINATOR_OF, workflow_id=workflow_id)
    if workflow.state != "running" or coordinator is None:
        return
    mine = turn is not None and coordinator.id == turn.agent_id
    if turn is not None and tx.need(Agent, turn.agent_id).role == "observer":
        return
    if coordinator.status != "ready" or tx.value(UNDER_WAY, workflow_id=workflow_id):
        if mine and coordinator.silences:
            tx.update(Agent, coordinator.id, silences=0)
        return
    number = coordinator.silences + 1
    tx.update(Agent, coordinator.id, silences=number)
    plan = Plan.of(tx, workflow_id)
    if number < MOST_IDLE:
        words = said if mine else _last_said(tx, coordinator)
        _remind(tx, coordinator, number, _to_coordinator(tx, plan, coordinator, words), words)
    elif number == MOST_IDLE:
        _give_up(tx, workflow, coordinator, plan, turn if mine else None, said if mine else "")


def ask_about_stopped(tx: Tx, workflow: Workflow, coordinator: Agent) -> None:
    """Where nothing is under way because a person stopped workers, ask that person, once."""
    if tx.value(UNDER_WAY, workflow_id=workflow.id):
        if coordinator.silences:
            tx.update(Agent, coordinator.id, silences=0)
        return
    plan = Plan.of(tx, workflow.id)
    if coordinator.silences or plan.is_done or not plan.stopped:
        return
    tx.update(Agent, coordinator.id, silences=MOST_IDLE)
    _give_up(tx, workflow, coordinator, plan, None, "")


def _to_coordinator(tx: Tx, plan: Plan, coordinator: Agent, said: str) -> str:
    words = said or _last_said(tx, coordinator)
    return (
        "Your turn has ended, and nothing is under way: no worker works, no message waits, nobody "
        f"is asked. You said last:\n{_quoted(words)}\n"
        + "\n".join(plan.lines())
        + "\nNobody reads what you only say. When your next turn ends like this, the workflow ends."
    )


def _give_up(
    tx: Tx, workflow: Workflow, coordinator: Agent, plan: Plan, turn: Turn | None, said: str
) -> None:
    """End the workflow that its coordinator left lying, or ask the person who stopped a worker."""
    about = {"turns": MOST_IDLE, "text": said[:MAX_SAID]}
    if plan.stopped:
        names = ", ".join(plan.stopped)
        text = (
            f"nothing is under way in {workflow.name}, and {names} was stopped: "
            f"perles agent resume {workflow.id} {plan.stopped[0]}, or perles send {workflow.id}"
        )
        _tell(tx, "user.notification", coordinator, {"text": text, "phase": None})
        _tell(tx, "agent.silent", coordinator, {**about, "then": "the person is asked"})
    elif plan.is_done:
        reason = f"{plan.count()} done; its coordinator did not call signal_workflow_complete"
        _tell(tx, "agent.silent", coordinator, {**about, "then": "the workflow is completed"})
        request_end(tx, workflow, Complete(reason=reason))
    else:
        reason = (
            f"its coordinator ended {MOST_IDLE} turns in a row with nothing under way: "
            f"{plan.in_short()}{_refused(tx, coordinator, turn)}{_words(said)}"
        )
        _tell(tx, "agent.silent", coordinator, {**about, "then": "the workflow has failed"})
        request_end(tx, workflow, Fail(reason=reason))


def _refused(tx: Tx, coordinator: Agent, turn: Turn | None) -> str:
    """The last call of this turn that was refused: often what keeps it from going on."""
    if turn is None:
        return ""
    about = {"workflow_id": turn.workflow_id, "agent_id": coordinator.id}
    row = tx.row(LAST_REFUSAL, since=turn.created_at, **about)
    return "" if row is None else f"; its {row['kind']} was refused: {row['error']}"


def _remind(tx: Tx, agent: Agent, number: int, body: str, said: str) -> None:
    _tell(tx, "agent.reminded", agent, {"number": number, "text": said[:MAX_SAID]})
    messages.post(tx, agent, sender="perles", kind="reminder", body=body)


def _tell(tx: Tx, type: str, agent: Agent, payload: dict[str, Any]) -> None:
    about = {"agent_id": agent.id, "task_id": agent.task_id}
    payload = {"agent": agent.name, **payload}
    journal.append(tx, type, payload, workflow_id=agent.workflow_id, **about)


def _last_said(reader: Reader, agent: Agent) -> str:
    return next(iter(reversed(last_words(reader, agent))), "")


def _quoted(said: str) -> str:
    """The end of what an agent said."""
    words = said.strip()
    return quoted(f"… {words[-MAX_QUOTED:]}" if len(words) > MAX_QUOTED else words)


def _words(said: str) -> str:
    """The last words of an agent, for a reason of one line."""
    words = in_line(said)
    return f"; it said last: {words[:MAX_SAID]!r}" if words else ""
