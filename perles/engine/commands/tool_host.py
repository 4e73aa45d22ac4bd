"""The engine as the MCP tools see it."""

import time
from collections.abc import Collection, Sequence
from typing import Any, Final

from perles.agents.provider import hidden_tools
from perles.domain.errors import LateCallError, PerlesError
from perles.domain.states import LIVE_TURNS
from perles.engine.commands.queue import Commands
from perles.engine.context import Context
from perles.fabric import inbox
from perles.mcp import turn_tokens
from perles.mcp.host import Caller
from perles.store.events import journal
from perles.store.expressions import bindparam, select
from perles.store.reader import Reader
from perles.store.reads import fabric as reads
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.transaction import Tx
from perles.workspace.session import token_hash

REJECTION_SECONDS: Final = 1.0
"""At most one `security.rejected` in this time per workflow and status; others are counted."""
KEPT_SECONDS: Final = 60.0
"""How long such a count waits for the next event that tells it."""

AGENT_BY_TOKEN: Final = Sql(
    select(Agent).where(Agent.token == bindparam("token"), Agent.retired_at.is_(None))
)
TURN_BY_TOKEN: Final = Sql(
    select(Turn)
    .join(Agent, Agent.id == Turn.agent_id)
    .where(Agent.token == bindparam("token"), Turn.id == bindparam("turn_id"))
)


class EngineToolHost:
    """Knows agents by their tokens and carries out their commands."""

    def __init__(self, context: Context, commands: Commands) -> None:
        self._context = context
        self._commands = commands
        self._rejections: dict[tuple[str, int], tuple[float, int]] = {}

    def identify(self, token: str) -> Caller | None:
        """The agent that holds this token, if one does now. Raises `LateCallError`."""
        secret, turn_id = turn_tokens.parted(token)
        hashed, reader = token_hash(secret), self._context.reader
        if turn_id is not None:
            turn = reader.first(Turn, TURN_BY_TOKEN, token=hashed, turn_id=turn_id)
            if turn is None:
                return None
            if turn.status not in LIVE_TURNS:
                raise LateCallError(turn_id, turn.status)
        agent = reader.first(Agent, AGENT_BY_TOKEN, token=hashed)
        if agent is None:
            return None
        return Caller(agent.workflow_id, agent.id, agent.name, agent.role, turn_id)

    def reader(self) -> Reader:
        """A connection to read on, in the event loop's thread."""
        return self._context.reader

    async def command(
        self, caller: Caller, kind: str, args: dict[str, Any], key: str | None
    ) -> dict[str, Any]:
        """Carry out a command for this agent; raises `PerlesError` with a text for it."""
        return await self._commands.call(caller, kind, args, key)

    def seen(self, caller: Caller, post_ids: Sequence[int]) -> None:
        """This agent was shown these posts: where it was to be told of some, it is not any more."""
        fresh = reads.untold(self._context.reader, caller.agent_id, post_ids)
        if fresh:
            self._context.writer.post(lambda tx: inbox.seen(tx, caller.agent_id, fresh))

    def hides(self, caller: Caller) -> Collection[str]:
        """The tools that this agent's CLI does not show under their own names."""
        agent = self._context.reader.need(Agent, caller.agent_id)
        workflow = self._context.reader.need(Workflow, caller.workflow_id)
        try:
            return hidden_tools(self._context.provider_of(agent, workflow))
        except PerlesError:
            return ()  # a provider that is not there any more hides nothing

    def rejected(self, workflow_id: str, status: int, count: int, why: str) -> None:
        """Record refused requests; a flood becomes one event a second, with a count."""
        now = time.monotonic()
        last, skipped = self._rejections.get((workflow_id, status), (-REJECTION_SECONDS, 0))
        if now - last < REJECTION_SECONDS:
            self._rejections[workflow_id, status] = (last, skipped + count)
            return
        self._forget_old(now)
        self._rejections[workflow_id, status] = (now, 0)
        payload = {"status": status, "why": why, "others": skipped + count - 1}

        def record(tx: Tx) -> None:
            journal.append(tx, "security.rejected", payload, workflow_id=workflow_id)

        self._context.writer.post(record)

    def _forget_old(self, now: float) -> None:
        """Workflows end: what was counted of them is not kept for ever."""
        for key, (last, _) in list(self._rejections.items()):
            if now - last > KEPT_SECONDS:
                del self._rejections[key]
