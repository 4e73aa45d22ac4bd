"""Turns that failed in a way we know how to go on from.

A rate limit or an overload: the agent's messages wait until a time that is shown,
longer each time; so it is where the model cannot be reached. A quota with a stated
reset time: every agent of that provider waits, whatever is restarted meanwhile. A
session that is full or that its CLI no longer knows: a fresh one, with a handover.
A worker that crashed: once more, in the same session.
"""

from __future__ import annotations

from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from perles.agents.clis.errors import advice, reset_time
from perles.agents.provider import Outcome
from perles.domain.clock import from_text, to_text
from perles.domain.provider_choice import BUILTIN
from perles.engine.resources import provider_holds
from perles.fabric import messages
from perles.store import statements
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.store.transaction import Tx
from perles.tasks.handover import handover

if TYPE_CHECKING:
    from perles.engine.turns.live import LiveTurn

OFFLINE: Final = "offline"
LIMITS: Final = frozenset({"rate_limited", "overloaded", "quota_exhausted", OFFLINE})
LOST_SESSIONS: Final = frozenset({"context_exhausted", "unknown_session"})
HOPELESS: Final = frozenset({"auth", "billing"})
"""Failures that the next try only repeats, until a person does something."""

FIRST_SECONDS: Final = 5.0
QUOTA_SECONDS: Final = 300.0
MOST_SECONDS: Final = 900.0
MOST_OFFLINE_SECONDS: Final = 60.0
"""A network that is back is to be noticed soon, and asking it costs nothing."""
SHARED_SECONDS: Final = 60.0
"""A stated wait at least so long is one of the provider, not of one agent."""
MAX_RENEWALS: Final = 3
"""Sessions of one agent in a row that may be lost."""
MARGIN: Final = timedelta(seconds=1)


class Setback(NamedTuple):
    """The agent goes on: `changes` are its columns, and its messages wait again."""

    changes: dict[str, Any]


def setback(tx: Tx, live: LiveTurn, agent: Agent, outcome: Outcome) -> Setback | None:
    """What is done about a failed turn, None where it has simply failed."""
    if outcome.error_class in LIMITS:
        return _hold(tx, live, agent, outcome)
    if outcome.error_class in LOST_SESSIONS and agent.failures < MAX_RENEWALS:
        return _renew(tx, live, agent, outcome)
    if outcome.error_class == "crashed" and _may_be_tried_again(tx, agent):
        return Setback({"failures": agent.failures + 1})
    return None


def _may_be_tried_again(tx: Tx, agent: Agent) -> bool:
    """Whether this is a worker's first crash after a turn that went well.

    A coordinator is tried again anyway; a command is run again only by its task's `retries`.
    """
    if agent.role != "worker" or agent.provider == BUILTIN or agent.failures >= MAX_RENEWALS:
        return False
    ended = tx.rows(statements.LATEST_ENDED_TURNS, agent_id=agent.id, limit=2)
    before = [row["error_class"] for row in ended[1:]]  # the first one is this turn
    return before != ["crashed"]


def explained(provider: str, outcome: Outcome) -> str | None:
    """The error of an outcome, with what a person does about it where only a person can."""
    if outcome.error_class == "auth":
        return f"{outcome.error}; to go on: {advice(provider)}"
    if outcome.error_class == "billing":
        return (
            f"{outcome.error}; to go on: add credit to the account of {provider}, then perles retry"
        )
    return outcome.error


def backoff(tries: int, seed: int, *, first: float = FIRST_SECONDS) -> float:
    """Seconds to wait before the next try: doubled each time, with jitter, bounded."""
    longest = min(MOST_SECONDS, first * 2.0 ** min(tries, 12))
    return longest * (0.5 + Random(seed).random() / 2)  # noqa: S311 - jitter is no secret


def _hold(tx: Tx, live: LiveTurn, agent: Agent, outcome: Outcome) -> Setback:
    now = from_text(tx.now)
    said = outcome.error or ""
    is_offline = outcome.error_class == OFFLINE
    stated = None if is_offline else reset_time(said, now)
    if stated is not None and stated > now:
        until = stated + MARGIN
    else:
        first = QUOTA_SECONDS if outcome.error_class == "quota_exhausted" else FIRST_SECONDS
        seconds = backoff(agent.holds, live.turn_id, first=first)
        seconds = min(seconds, MOST_OFFLINE_SECONDS) if is_offline else seconds
        until = now + timedelta(seconds=seconds)
    shared = stated is not None and (until - now).total_seconds() >= SHARED_SECONDS
    own = provider_holds.hold(tx, agent, until, said) if shared else until
    payload = {
        "until": to_text(until),
        "error_class": outcome.error_class,
        "provider": agent.provider,
        "whole_provider": shared,
        "text": said,
    }
    journal.append(
        tx,
        "agent.offline" if is_offline else "agent.rate_limited",
        payload,
        workflow_id=live.workflow_id,
        agent_id=live.agent_id,
        turn_id=live.turn_id,
    )
    return Setback({"held_until": to_text(own), "holds": agent.holds + 1})


def _renew(tx: Tx, live: LiveTurn, agent: Agent, outcome: Outcome) -> Setback:
    about: dict[str, Any] = {
        "workflow_id": live.workflow_id,
        "agent_id": live.agent_id,
        "turn_id": live.turn_id,
    }
    if outcome.error_class == "context_exhausted":
        payload = {"session": agent.provider_session_id, "text": outcome.error}
        journal.append(tx, "agent.context_exhausted", payload, **about)
    if agent.role == "coordinator":
        payload = {"session": agent.provider_session_id, "because": outcome.error_class}
        journal.append(tx, "coordinator.replaced", payload, **about)
    body = handover(tx, agent, outcome.error_class or "")
    messages.post(tx, agent, sender="perles", kind="system", body=body)
    return Setback(
        {
            "provider_session_id": None,
            "session_totals": None,
            "context_used": None,
            "failures": agent.failures + 1,
        }
    )
