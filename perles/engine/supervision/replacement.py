"""Replacing an agent: its turn is cut off, and a fresh one takes its place with a handover."""

import signal

from perles.engine.context import Context
from perles.engine.team.succession import put_fresh
from perles.engine.turns.ending import Ending
from perles.engine.turns.runner import Turns
from perles.executor.contract import REPLACED_GRACE
from perles.store.schema.agents import Agent


async def replace(context: Context, turns: Turns, agent_id: int, *, why: str) -> str:
    """End the agent's turn and put a fresh one in its place; the new one's name.

    Runs in the workflow's lane. Raises `WrongStateError` for an agent or a workflow
    that ended, `LimitReachedError` when there is no room for the new one.
    """
    # Paused, it gets no new turn before it is retired.
    await cut_off(context, turns, agent_id, Ending("interrupt", "pause"))
    name = await context.writer.write(lambda tx: put_fresh(tx, context, agent_id, why=why).name)
    context.kick()
    return name


async def cut_off(
    context: Context, turns: Turns, agent_id: int, ending: Ending, *, grace: float = REPLACED_GRACE
) -> None:
    """End the turn that the agent is in, with all that it started."""
    workflow_id = context.reader.need(Agent, agent_id).workflow_id
    lives = [live for live in turns.of(workflow_id) if live.agent_id == agent_id]
    await turns.interrupt(lives, ending, grace=grace)
    if lives:
        context.executor.signal([live.process for live in lives], signal.SIGKILL)
