"""What a turn's output and end mean: for the turn, its messages, its agent and its workflow."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

from perles.agents.output import Batch
from perles.agents.provider import AgentEvent, Kind, Outcome
from perles.domain.states import AGENT, TURN
from perles.engine import mail, queries, reports, usage
from perles.engine.scheduler import release_agent
from perles.engine.setbacks import HOPELESS, explained, setback
from perles.store import journal
from perles.store.database import Tx
from perles.store.schema import Agent, Command, Turn, Workflow
from perles.store.transition import fire

if TYPE_CHECKING:
    from perles.engine.turns import LiveTurn

MAX_COORDINATOR_FAILURES: Final = 3
"""Turns in a row that may fail before the workflow does."""


@dataclass(frozen=True, slots=True)
class Ending:
    """How a turn ends: the trigger of the turn, and that of its agent."""

    turn: str
    agent: str

    @classmethod
    def of(cls, outcome: Outcome) -> Ending:
        """The ending of a turn that ended by itself."""
        return cls("succeed", "turn_ended") if outcome.succeeded else cls("fail", "turn_failed")


def apply_batch(tx: Tx, live: LiveTurn, batch: Batch) -> None:
    """Journal what an agent printed, with its usage, and move the turn's offset: all or nothing."""
    about: dict[str, Any] = {
        "workflow_id": live.workflow_id,
        "agent_id": live.agent_id,
        "turn_id": live.turn_id,
    }
    changes = {"last_activity_at": tx.now}
    for event in batch.events:
        if event.kind is Kind.SESSION:
            changes["provider_session_id"] = event.data["id"]
        elif event.kind is Kind.USAGE:
            usage.record(tx, live, event.data)
        else:
            journal.append(tx, f"{live.role}.output", _shown(event), **about)
    tx.update(Turn, live.turn_id, stdout_offset=batch.offset)
    tx.update(Agent, live.agent_id, **changes)


def _shown(event: AgentEvent) -> dict[str, Any]:
    return {"kind": str(event.kind), "text": event.text, **event.data}


def conclude(
    tx: Tx,
    live: LiveTurn,
    ending: Ending,
    outcome: Outcome,
    *,
    exit_code: int | None,
    last: Batch | None,
) -> None:
    """Apply the end of a turn, with the last of its output, in one transaction.

    A turn that is closed already is left alone: its result was applied.
    """
    turn = tx.need(Turn, live.turn_id)
    if turn.status not in ("starting", "running"):
        return
    if last is not None and last.offset != turn.stdout_offset:
        apply_batch(tx, live, last)
    agent = tx.need(Agent, live.agent_id)
    if ending.turn == "succeed" and not live.has_mcp:
        reports.by_text(tx, agent, outcome.text)
        agent = tx.need(Agent, live.agent_id)
    if ending.turn == "succeed" and _owes_report(tx, agent):
        ending = Ending("fail", "turn_failed")
        outcome = Outcome(False, "crashed", "it ended its turn without a report")
    error = explained(agent.provider, outcome) if ending.turn != "interrupt" else None
    fire(
        tx,
        TURN,
        live.turn_id,
        ending.turn,
        changes={
            "exit_code": exit_code,
            "outcome": ending.turn,
            "error_class": outcome.error_class if error else None,
            "error": error,
            "ended_at": tx.now,
        },
        payload={"number": turn.number, "exit_code": exit_code, "error": error},
    )
    back = setback(tx, live, agent, outcome) if ending.turn == "fail" else None
    _settle_messages(tx, agent, live.turn_id, ending, again=back is not None)
    if agent.status != "working":
        return
    if back is not None:
        fire(tx, AGENT, agent.id, "turn_ended", changes=back.changes)
        return
    failures = agent.failures + 1 if ending.turn in ("fail", "time_out") else 0
    fire(tx, AGENT, agent.id, ending.agent, changes={"failures": failures, "holds": 0})
    if ending.agent == "turn_failed":
        if outcome.error_class in HOPELESS:
            failures = MAX_COORDINATOR_FAILURES
        _tell_of_failure(tx, agent, failures, error or "its process is gone")


def _owes_report(tx: Tx, agent: Agent) -> bool:
    """Whether a worker has a task in hand that nobody told us the end of."""
    if agent.role != "worker" or agent.phase != "implementing":
        return False
    return not tx.rows(queries.QUEUED_MESSAGES, agent_id=agent.id)


def _settle_messages(
    tx: Tx, agent: Agent, turn_id: int, ending: Ending, *, again: bool = False
) -> None:
    """Messages of a turn that was cut off wait again, unless what they asked for is done."""
    cut_off = again or ending.turn in ("interrupt", "lose")
    retried = agent.role == "coordinator" and ending.turn == "fail"
    reported = agent.role == "worker" and agent.phase not in ("implementing", "addressing_feedback")
    status = "queued" if (cut_off or retried) and not reported else "done"
    tx.run(queries.SETTLE_MESSAGES, turn_id_=turn_id, status_=status, now_=tx.now)


def _tell_of_failure(tx: Tx, agent: Agent, failures: int, error: str) -> None:
    if agent.role == "worker":
        release_agent(tx, agent.id, "worker")
        mail.tell_coordinator(
            tx,
            agent.workflow_id,
            sender="perles",
            kind="system",
            body=f"the turn of {agent.name} failed: {error}",
        )
    elif failures >= MAX_COORDINATOR_FAILURES:
        times = f"{agent.failures + 1} times in a row" if agent.failures else "at its first try"
        reason = f"the coordinator failed {times}: {error}"
        request_end(tx, tx.need(Workflow, agent.workflow_id), "fail", reason)


def retry_coordinators(tx: Tx, due_before: str) -> int:
    """Make coordinators ready again that failed before then; how many."""
    failed = tx.all(Agent, queries.FAILED_COORDINATORS, before=due_before)
    for agent in failed:
        fire(tx, AGENT, agent.id, "retry", payload={"failures": agent.failures})
    return len(failed)


def request_end(tx: Tx, workflow: Workflow, kind: str, reason: str | None) -> None:
    """Queue the command that ends a workflow (`complete` or `fail`), unless one is under way."""
    if tx.row(queries.NEXT_CLOSING, workflow_id=workflow.id) is None:
        args = journal.encode({"reason": reason})
        tx.insert(Command, workflow_id=workflow.id, kind=kind, args=args, source="engine")
