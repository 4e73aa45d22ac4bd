"""Tool calls of agents: each carried out in its workflow's lane, in one transaction, once.

What a call needs to know of files, git or a check is looked up before that transaction.
"""

import asyncio
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from perles.domain.errors import (
    DatabaseError,
    LateCallError,
    NoWorkerSlotError,
    PerlesError,
    ToolError,
)
from perles.domain.states import COMMAND, LIVE_TURNS
from perles.engine import crash_points
from perles.engine.commands import file_lookups
from perles.engine.commands.base import ToolCall
from perles.engine.commands.call_allowances import MAX_REFUSED, CallAllowances, shortened
from perles.engine.commands.checks import Checks
from perles.engine.commands.file_lookups import FileLookups
from perles.engine.commands.registry import TOOLS
from perles.engine.context import Context
from perles.engine.resources.worker_slots import ask_for_worker
from perles.engine.services import Services
from perles.mcp.host import Caller
from perles.store.events import journal
from perles.store.expressions import bindparam, select
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.engine import Command
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.transaction import Tx
from perles.store.transition import fire

COMMAND_OF_REQUEST: Final = Sql(
    select(Command).where(
        Command.agent_id == bindparam("agent_id"), Command.request_key == bindparam("key")
    )
)

_TALK: Final = "fabric_"
"""Calls after which nothing can begin at once: agents are told of posts a second later."""


class ToolCalls:
    """Carries out what agents ask for. `lane` gives the lock of a workflow's changes."""

    def __init__(self, services: Services, lane: Callable[[str], asyncio.Lock]) -> None:
        self._context = services
        self._lane = lane
        self._allowances = CallAllowances(services)
        self._checks = Checks(services)

    async def call(
        self, caller: Caller, kind: str, args: dict[str, Any], key: str | None
    ) -> dict[str, Any]:
        """Carry out an agent's tool call: effect, events and command row in one transaction.

        A `key` that this agent used before gets the answer of then: a caller that asked an
        engine that died before it could answer asks the next one again.
        Raises `PerlesError` with a text for the agent.
        """
        context = self._context
        if (answer := self._answered(caller, kind, key)) is not None:
            return answer  # a check that was run for it is not run again
        if context.remote is not None:
            await context.remote.before_call(caller, kind)
        checked = await self._checks.look(caller, kind, args)
        seen = None
        if self._allowances.of(caller).is_open and caller.workflow_id not in context.closing:
            seen = await file_lookups.seen_by_git(context, caller, kind, args)
        async with self._lane(caller.workflow_id):
            if (answer := self._answered(caller, kind, key)) is not None:
                return answer
            allowance, size = self._allowances.of(caller), len(journal.encode(args))
            if not allowance.admits(kind, size):
                raise ToolError(allowance.refusal(kind))
            if caller.workflow_id in context.closing:
                raise ToolError("cannot do this any more: the workflow is ending; end your turn")
            try:
                found = await file_lookups.look(context, caller, kind, args, seen)
                found = found._replace(check=checked)
                result = await context.writer.write(
                    lambda tx: _call(tx, context, caller, kind, args, key, found)
                )
            except (DatabaseError, LateCallError):
                raise  # a late call is no call of the agent's: it takes none of what that may do
            except PerlesError as error:
                if not allowance.is_open:
                    allowance.leave_out(size)
                    raise
                refused = partial(_refused, caller, kind, args, key, error)
                size = await context.writer.write(refused)
                await self._allowances.take(caller, allowance, size)
                raise
            await self._allowances.take(caller, allowance, size)
        crash_points.at("tool.after-commit")
        if not kind.startswith(_TALK):
            context.kick()
        return result

    def _answered(self, caller: Caller, kind: str, key: str | None) -> dict[str, Any] | None:
        """What this agent was answered to this key before; None where nothing was."""
        if key is None:
            return None
        about = {"agent_id": caller.agent_id, "key": key}
        command = self._context.reader.first(Command, COMMAND_OF_REQUEST, **about)
        return None if command is None else _answer_of(command, kind)


def _answer_of(command: Command, kind: str) -> dict[str, Any]:
    """What was answered to a request that was carried out before: a key is of one tool."""
    if command.kind != kind:
        raise ToolError(
            f"cannot {kind}: its Idempotency-Key was used for {command.kind}; "
            "give each request a key of its own"
        )
    if command.status != "succeeded":
        raise ToolError(command.error or "cannot do this")
    answer: dict[str, Any] = journal.decode(command.result)
    return answer


def _call(
    tx: Tx,
    context: Context,
    caller: Caller,
    kind: str,
    args: dict[str, Any],
    key: str | None,
    found: FileLookups,
) -> dict[str, Any]:
    workflow = tx.need(Workflow, caller.workflow_id)
    agent = tx.need(Agent, caller.agent_id)
    if caller.turn_id is not None:
        _check_turn(tx, caller.turn_id)
    if workflow.state != "running" or agent.status != "working":
        raise ToolError(
            f"cannot {kind}: the workflow is {workflow.state} and you are {agent.status}"
        )
    args = tx.secrets.mask(tx, caller.workflow_id, args)
    command_id = _record(tx, caller, kind, args, key)
    fire(tx, COMMAND, command_id, "run", changes={"started_at": tx.now})
    result = TOOLS[kind](ToolCall(tx, context, workflow, agent, args, found))
    changes = {"finished_at": tx.now, "result": journal.encode(result)}
    fire(tx, COMMAND, command_id, "succeed", changes=changes, payload={"kind": kind})
    crash_points.at("tool.before-commit")
    return result


def _check_turn(tx: Tx, turn_id: int) -> None:
    """The turn was live when the call came in; it may have been given up since."""
    turn = tx.get(Turn, turn_id)
    if turn is None or turn.status not in LIVE_TURNS:
        raise LateCallError(turn_id, "gone" if turn is None else turn.status)


def _refused(
    caller: Caller, kind: str, args: dict[str, Any], key: str | None, why: PerlesError, tx: Tx
) -> int:
    """Record a call that was refused; the characters that it takes."""
    text = str(why)
    args, error = tx.secrets.mask(tx, caller.workflow_id, (shortened(args), text[:MAX_REFUSED]))
    command_id = _record(tx, caller, kind, args, key)
    changes = {"finished_at": tx.now, "error": error}
    payload = {"kind": kind, "error": error}
    fire(tx, COMMAND, command_id, "reject", changes=changes, payload=payload)
    if isinstance(why, NoWorkerSlotError) and why.waits:
        ask_for_worker(tx, caller.workflow_id, text)
    return len(journal.encode(args)) + 2 * len(error)


def _record(tx: Tx, caller: Caller, kind: str, args: dict[str, Any], key: str | None) -> int:
    return tx.insert(
        Command,
        workflow_id=caller.workflow_id,
        agent_id=caller.agent_id,
        kind=kind,
        args=journal.encode(args),
        source="mcp",
        request_key=key,
        status="queued",
    )
