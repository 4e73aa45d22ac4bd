"""What a turn's output and end mean: for the turn, its messages, its agent and its workflow."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Final

from perles.agents.provider import Outcome
from perles.domain.commands import Fail
from perles.domain.provider_choice import BUILTIN
from perles.domain.quoting import quoted
from perles.domain.services import AGENT_TYPE
from perles.domain.states import AGENT, LIVE_TURNS, TURN
from perles.engine import crash_points
from perles.engine.bulkhead import UNHANDLED, has_failed_so_again
from perles.engine.end_request import request_end
from perles.engine.resources import provider_holds, worker_slots
from perles.engine.resources.allowance import tell_left_out
from perles.engine.resources.leases import release_agent
from perles.engine.team import observers, reminders
from perles.engine.turns import missed_report
from perles.engine.turns.ending import Ending
from perles.engine.turns.ingest import about_turn, apply_batch
from perles.engine.turns.retries import HOPELESS, LIMITS, LOST_SESSIONS, explained, setback
from perles.engine.turns.start import Begun, begin, ran
from perles.engine.turns.unanswered_calls import UNSERVED
from perles.executor.contract import Batch
from perles.fabric import messages
from perles.store import statements
from perles.store.expressions import bindparam, func, select
from perles.store.schema.agents import Agent, Message, Turn
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import reports

if TYPE_CHECKING:
    from perles.engine.context import Context
    from perles.engine.turns.live import LiveTurn

MAX_COORDINATOR_FAILURES: Final = 3
"""Turns in a row that may fail before the workflow does."""
MAX_LOST: Final = 5
"""Turns in a row that may be lost: whatever kills them would kill the next one, too."""
MAX_TOLD: Final = 500
"""Characters of an error that an agent is told."""
ONLY_OF_A_PROCESS: Final = ("succeed", "time_out")
"""The ends of turns whose processes were started."""
LOST: Final = Outcome(False, "lost", "the turn was cut off and nobody knows how it ended")

NODE_ENDED: Final = Outcome(
    False, "node_ended", "its node was ended, and with it the turn: nobody knows how far it came"
)
"""It tells nothing of the agent, so it is not counted among the turns that were cut off."""
CUT_OFF: Final = (LOST, NODE_ENDED)

COUNT_DELIVERED: Final = Sql(
    select(func.count())
    .select_from(Message)
    .where(Message.turn_id == bindparam("turn_id"), Message.status == "delivered")
)


def conclude(
    tx: Tx,
    context: Context,
    live: LiveTurn,
    ending: Ending,
    outcome: Outcome,
    *,
    exit_code: int | None,
    last: Batch | None,
) -> list[Begun]:
    """Apply the end of a turn, with the last of its output, in one transaction.

    The turns that begin with it: where the engine leads, what comes next is known at once.
    A turn that is closed already is left alone: its result was applied.
    """
    turn = tx.need(Turn, live.turn_id)
    if turn.status not in LIVE_TURNS:
        return []
    if turn.status == "starting" and (exit_code is not None or ending.turn in ONLY_OF_A_PROCESS):
        ran(tx, turn.id)  # its node was out of reach when this engine took over
    outcome = _told(tx, live, outcome)
    _take_last_output(tx, live, turn, last)
    leader = _leader(tx, context, live)
    _take_reports(tx, live, ending, outcome, tells=leader is None)
    agent = tx.need(Agent, live.agent_id)
    ending, outcome = _judged(tx, live, agent, ending, outcome, exit_code)
    error = explained(agent.provider, outcome) if ending.turn != "interrupt" else None
    _close(tx, turn, ending, outcome, exit_code, error)
    release_agent(tx, agent.id, "ai_call")
    _give_up_hopeless(tx, live.workflow_id, error)
    back = setback(tx, live, agent, outcome) if ending.agent == "turn_failed" else None
    again = _settle_messages(tx, agent, live.turn_id, ending, retry=back is not None)
    if again and _may_have_worked(ending, outcome):
        _tell_of_loss(tx, agent, turn.number, outcome)
    if ending.turn == "succeed":
        _free_what_waited(tx, agent, turn)
    if agent.status == "working" and back is not None:
        fire(tx, AGENT, agent.id, "turn_ended", changes=back.changes)
    elif agent.status == "working":
        _settle_agent(tx, agent, ending, outcome, error)
    if ending.turn == "succeed":
        reminders.look_at_worker(tx, context, tx.need(Agent, agent.id), outcome.text)
    workers = [] if leader is None else context.conductor.advance(tx, leader, live.agent_id)
    next_turns = [found for id in workers if (found := begin(tx, context, id)) is not None]
    if not next_turns:
        reminders.look_at_workflow(tx, live.workflow_id, turn, outcome.text)
    crash_points.at("outcome.before-commit")
    return next_turns


def _take_last_output(tx: Tx, live: LiveTurn, turn: Turn, last: Batch | None) -> None:
    """Journal the last piece of output, and how much of it all was left out."""
    if last is not None and (last.events or last.offset != turn.stdout_offset):
        apply_batch(tx, live, last)
    tell_left_out(tx, (live.output, live.calls), about_turn(live))


def _leader(tx: Tx, context: Context, live: LiveTurn) -> Agent | None:
    """The coordinator that the engine stands for, where it can act on a report at once."""
    if live.report is None or not context.is_open(live.workflow_id):
        return None
    if tx.need(Agent, live.agent_id).agent_type == AGENT_TYPE:
        return None  # what its end means, those decide who look after services
    found = tx.first(Agent, statements.COORDINATOR_OF, workflow_id=live.workflow_id)
    if found is None or found.status != "ready" or not context.conductor.leads(tx, found):
        return None
    return found


def _take_reports(tx: Tx, live: LiveTurn, ending: Ending, outcome: Outcome, *, tells: bool) -> None:
    """Apply a report that came as text, or by how a command ended, or that no engine heard."""
    if live.report is not None:
        agent, report = tx.need(Agent, live.agent_id), live.report
        if reports.may_report(tx, agent):
            said = tx.secrets.mask(tx, live.workflow_id, report.words)
            code, left = report.exit_code, report.left
            reports.record(tx, agent, said, code, report.printed, tells=tells, left=left)
            if ending.turn != "succeed":  # it is not to be asked again for what it has done
                settled = {"turn_id_": live.turn_id, "status_": "done", "now_": tx.now}
                tx.run(statements.SETTLE_MESSAGES, **settled)
        return
    if ending.turn == "succeed" and not live.has_mcp:
        reports.by_text(tx, tx.need(Agent, live.agent_id), outcome.text)
    if ending.turn != "interrupt":
        missed_report.by_output(tx, tx.need(Agent, live.agent_id), live)


def _close(
    tx: Tx, turn: Turn, ending: Ending, outcome: Outcome, exit_code: int | None, error: str | None
) -> None:
    """The turn itself has ended, with what came of it."""
    changes = {
        "exit_code": exit_code,
        "outcome": ending.turn,
        "error_class": outcome.error_class if error else None,
        "error": error,
        "ended_at": tx.now,
    }
    payload = {"number": turn.number, "exit_code": exit_code, "error": error}
    fire(tx, TURN, turn.id, ending.turn, changes=changes, payload=payload)


def _give_up_hopeless(tx: Tx, workflow_id: str, error: str | None) -> None:
    """Fail a workflow whose turns we cannot handle, time after time."""
    if error and error.startswith(UNHANDLED) and has_failed_so_again(tx, workflow_id):
        request_end(tx, tx.need(Workflow, workflow_id), Fail(reason=error))


def _free_what_waited(tx: Tx, agent: Agent, turn: Turn) -> None:
    """A turn that succeeded shows that its provider answers, and settles offers of workers."""
    provider_holds.succeeded(tx, agent, turn)
    if agent.role == "coordinator":
        worker_slots.settle_offer(tx, agent)


def _told(tx: Tx, live: LiveTurn, outcome: Outcome) -> Outcome:
    """The outcome without the secrets that its agent printed."""
    if outcome in CUT_OFF:
        return outcome
    error, text = tx.secrets.mask(tx, live.workflow_id, (outcome.error, outcome.text))
    return replace(outcome, error=error, text=text)


def _judged(
    tx: Tx, live: LiveTurn, agent: Agent, ending: Ending, outcome: Outcome, code: int | None
) -> tuple[Ending, Outcome]:
    """How the turn ended, after what it did and what became of those before it."""
    if _was_unserved(tx, live, agent, ending, outcome):
        ending, outcome = Ending("lose", "turn_ended"), UNSERVED
    elif ending.turn == "succeed" and reminders.owes_report(tx, agent):
        silent = reminders.failure(agent, outcome)
        ending, outcome = (ending, outcome) if silent is None else (Ending.of(silent), silent)
    if ending == Ending("interrupt", "stop") and _ended_well(tx, live, agent, outcome, code):
        ending = Ending("succeed", "stop")
    if outcome in (LOST, UNSERVED) and _lost_too_often(tx, agent):
        ending = Ending("fail", "turn_failed")
        outcome = Outcome(False, "lost", f"it was cut off {MAX_LOST} times in a row")
    if ending.agent == "turn_failed" and _has_reported(tx, agent, live.turn_id):
        ending = Ending(ending.turn, "turn_ended")
    return ending, outcome


def _settle_agent(
    tx: Tx, agent: Agent, ending: Ending, outcome: Outcome, error: str | None
) -> None:
    """Count failures in a row, and tell the agent or person who must act on one."""
    failures = agent.failures + 1 if ending.turn in ("fail", "time_out") else 0
    failures = agent.failures if ending.turn == "lose" else failures
    fire(tx, AGENT, agent.id, ending.agent, changes={"failures": failures, "holds": 0})
    if ending.agent != "turn_failed":
        return
    if outcome.error_class in HOPELESS:
        failures = MAX_COORDINATOR_FAILURES
    _tell_of_failure(tx, agent, failures, error or "its process is gone")


def _was_unserved(tx: Tx, live: LiveTurn, agent: Agent, ending: Ending, outcome: Outcome) -> bool:
    """Whether the turn left its work undone for want of an engine alone.

    A command of a task is not run twice for that: nobody said that it may be.
    """
    if agent.provider == BUILTIN or not unserved(live, ending.turn, outcome):
        return False
    return agent.role == "coordinator" or reminders.owes_report(tx, agent)


def _ended_well(tx: Tx, live: LiveTurn, agent: Agent, outcome: Outcome, code: int | None) -> bool:
    """Whether a worker had done its work and ended by itself when its workflow ended."""
    return code == 0 and outcome.succeeded and _has_reported(tx, agent, live.turn_id)


def _has_reported(tx: Tx, agent: Agent, turn_id: int) -> bool:
    """Whether a worker did what this turn was for: a report settles its messages."""
    return agent.role == "worker" and not tx.value(COUNT_DELIVERED, turn_id=turn_id)


def _settle_messages(tx: Tx, agent: Agent, turn_id: int, ending: Ending, *, retry: bool) -> bool:
    """Messages of a turn that was cut off wait again; whether there are such."""
    cut_off = ending.turn in ("interrupt", "lose")
    retried = agent.role == "coordinator" and ending.turn in ("fail", "time_out")
    again = cut_off or retried or retry
    status = "queued" if again else "done"
    settled = tx.run(statements.SETTLE_MESSAGES, turn_id_=turn_id, status_=status, now_=tx.now)
    return again and settled > 0


def _lost_too_often(tx: Tx, agent: Agent) -> bool:
    """Whether all of the agent's latest turns were lost, before this one."""
    rows = tx.rows(statements.LATEST_ENDED_TURNS, agent_id=agent.id, limit=MAX_LOST - 1)
    return len(rows) == MAX_LOST - 1 and all(row["error_class"] == "lost" for row in rows)


def _may_have_worked(ending: Ending, outcome: Outcome) -> bool:
    """Whether a turn that did not end well, and is tried again, may have done something before.

    An agent that waits out a limit has not, and a fresh session is told more.
    """
    failed = ending.turn in ("fail", "time_out")
    return outcome.error_class in ("lost", "node_ended") or (
        failed and outcome.error_class not in LIMITS | LOST_SESSIONS
    )


def _tell_of_loss(tx: Tx, agent: Agent, number: int, outcome: Outcome) -> None:
    """Say why the messages come again: the session may have seen them, and acted on them."""
    how = f"turn {number} was cut off and nobody knows how far it came"
    if outcome not in CUT_OFF:
        error = quoted((outcome.error or "")[:MAX_TOLD])
        how = f"turn {number} failed:\n{error}\nNobody knows how far it came"
    again = "what it was asked is asked again here: look first at what is done already"
    messages.post(tx, agent, sender="perles", kind="system", body=f"{how}; {again}")


def _tell_of_failure(tx: Tx, agent: Agent, failures: int, error: str) -> None:
    if agent.role == "worker":
        release_agent(tx, agent.id, "worker")
        messages.tell_coordinator(
            tx,
            agent.workflow_id,
            sender="perles",
            kind="system",
            body=f"the turn of {agent.name} failed:\n{quoted(error)}",
        )
    elif agent.role == "observer":
        observers.tell_of_failure(tx, agent, error)
    elif failures >= MAX_COORDINATOR_FAILURES:
        times = f"{agent.failures + 1} times in a row" if agent.failures else "at its first try"
        reason = f"the coordinator failed {times}: {error}"
        request_end(tx, tx.need(Workflow, agent.workflow_id), Fail(reason=reason))


def unserved(live: LiveTurn, how: str, outcome: Outcome) -> bool:
    """Whether a turn that ended by itself was of no use for want of an engine alone."""
    if how == "succeed":
        return live.unanswered.calls > 0
    hindered = live.unanswered.calls > 0 or live.ended_unserved
    return how == "fail" and outcome.error_class == "crashed" and hindered
