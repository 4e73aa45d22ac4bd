"""What live turns used so far, read where their CLIs write it down: beside their output.

A CLI may tell its usage only when a turn ends, and nothing of a turn that is cut off.
Its session's file has each call. What is read there is the whole of the turn, so that
it does not matter how often, or by which engine.
"""

from __future__ import annotations

import asyncio
import math
import time
from typing import TYPE_CHECKING, Any, Final

from perles.agents import bounds
from perles.agents.provider import AgentEvent, Kind
from perles.domain.errors import UsageError
from perles.engine.context import Context, log
from perles.engine.turns.session_files import log_of
from perles.executor.contract import Batch
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.store.schema.workflows import Workflow

if TYPE_CHECKING:
    from perles.engine.turns.live import LiveTurn

LOOK_SECONDS: Final = 0.5
"""How often the file of a silent turn is looked at."""


async def base(context: Context, agent: Agent) -> dict[str, Any] | None:
    """What the agent's session had used before the turn that begins now."""
    try:
        workflow = context.reader.need(Workflow, agent.workflow_id)
        provider = context.provider_of(agent, workflow)
        found = log_of(provider, context.environ_of(workflow))
    except UsageError:
        return None  # the turn's launch says what is wrong with it
    if found is None:
        return None
    if agent.provider_session_id is None:
        made = found.base(None)
    else:
        made = await asyncio.to_thread(found.base, agent.provider_session_id)
    # As they are now: while the turn goes on, the agent's own move along with it.
    return made | {"totals": made["totals"] or journal.decode(agent.session_totals)}


def is_due(live: LiveTurn) -> bool:
    """Whether it is time to look at the turn's session."""
    return live.log is not None and time.monotonic() >= live.log_due_at


def heard(live: LiveTurn, batch: Batch) -> None:
    """What was printed tells the session, and that a call may have ended."""
    for event in batch.events:
        if event.kind is Kind.SESSION:
            live.session_id = event.data["id"]
    live.log_due_at = -math.inf


async def told(live: LiveTurn, *, again: bool = False) -> AgentEvent | None:
    """What the turn used so far, when that is news and its CLI has not had the last word."""
    live.log_due_at = time.monotonic() + LOOK_SECONDS
    if live.log is None or live.session_id is None:
        return None
    try:
        found = await asyncio.to_thread(live.log.read, live.session_id, again=again)
    except (OSError, ValueError, TypeError, ArithmeticError):
        log.exception("cannot read the session of %s: it is not looked at any more", live.agent)
        live.log = None
        return None
    if found is None or getattr(live.parser, "has_settled", False):
        return None
    return bounds.event(found)


async def at_end(live: LiveTurn, last: Batch | None) -> Batch | None:
    """The last of the output, with what the session's file has beyond it."""
    if last is not None:
        heard(live, last)
    found = await told(live, again=True)
    if found is None:
        return last
    if last is None:
        return Batch([found], live.offset, True)
    return Batch([*last.events, found], last.offset, last.at_end)
