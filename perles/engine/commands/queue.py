"""Commands: durable requests, taken in the order of their ids, one at a time per workflow.

A workflow's commands pass through its lane, a fair lock: they run in order and
never together, while a slow one (a stop that waits for a process) holds up no
other workflow. Tool calls pass through the same lane.
"""

import asyncio
from collections.abc import Callable
from contextlib import suppress
from typing import Any, Final
from weakref import WeakValueDictionary

from sqlalchemy import bindparam, select

from perles.domain import commands
from perles.domain.errors import (
    DatabaseError,
    NoWorkerSlotError,
    PerlesError,
    ToolError,
    UsageError,
    WrongStateError,
)
from perles.domain.states import COMMAND, CommandTrigger
from perles.engine import crash_points
from perles.engine.commands import outside
from perles.engine.commands.base import ToolCall, origin_of
from perles.engine.commands.call_allowances import MAX_REFUSED, CallAllowances, shortened
from perles.engine.commands.checks import Checks
from perles.engine.commands.outside import Outside
from perles.engine.commands.registry import ACTIONS, TOOLS
from perles.engine.context import Context, log
from perles.engine.resources.worker_slots import ask_for_worker
from perles.engine.services import Services
from perles.fabric import messages
from perles.mcp.host import Caller
from perles.store.database import Tx
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.store.schema.engine import Command
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.transition import fire

_Settle = Callable[[Tx], None]
_CLOSING: Final = frozenset(kind for kind, one in commands.COMMANDS.items() if one.ends)

QUEUED_COMMANDS: Final = Sql(
    select(Command.id).where(Command.status == "queued").order_by(Command.id)
)
UNFINISHED_COMMANDS: Final = Sql(
    select(Command).where(Command.status == "running").order_by(Command.id)
)
COMMAND_OF_REQUEST: Final = Sql(
    select(Command).where(
        Command.agent_id == bindparam("agent_id"), Command.request_key == bindparam("key")
    )
)

_TALK: Final = "fabric_"
"""Calls after which nothing can begin at once: agents are told of posts a second later."""


class Commands:
    """Takes queued commands and carries them out."""

    def __init__(self, services: Services) -> None:
        self._context = services
        self._lanes: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._tasks: set[asyncio.Task[None]] = set()
        self._allowances = CallAllowances(services)
        self._checks = Checks(services)
        self._in_hand: set[int] = set()
        """Ids of the commands that were taken: one that waits in its lane is still `queued`."""

    def lane(self, workflow_id: str) -> asyncio.Lock:
        """The lock that a change of this workflow holds; it lives as long as a holder does."""
        return self._lanes.setdefault(workflow_id, asyncio.Lock())

    def recover(self) -> None:
        """Take up again what an engine had begun when it died. Every action is safe to repeat."""
        for command in self._context.reader.all(Command, UNFINISHED_COMMANDS):
            self._take(command)

    def poll(self, kinds: frozenset[str] | None = None) -> None:
        """Take the commands that are queued, in the order of their ids; only these kinds."""
        reader = self._context.reader
        queued = [int(row["id"]) for row in reader.rows(QUEUED_COMMANDS)]
        for command_id in queued:
            if command_id in self._in_hand:
                continue
            command = reader.get(Command, command_id)
            if command is not None and (kinds is None or command.kind in kinds):
                self._take(command)

    def is_busy(self) -> bool:
        """Whether a command is being carried out."""
        return bool(self._tasks)

    async def settle(self) -> None:
        """Wait for the commands that were taken."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)

    def _take(self, command: Command) -> None:
        self._in_hand.add(command.id)
        if command.workflow_id is not None and command.kind in _CLOSING:
            self._context.closing.add(command.workflow_id)
            if _is_forced(command):
                self._context.turns.cut_grace_short(command.workflow_id)
        task = asyncio.ensure_future(self._carry_out(command))
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _carry_out(self, command: Command) -> None:
        async with self.lane(command.workflow_id or ""):
            try:
                await self._run(command)
            except Exception:  # noqa: BLE001 - nobody waits for this task: told here, or nowhere
                # It stays in hand: this engine does not try it again.
                log.exception("command %s (%s) waits for the next engine", command.id, command.kind)
            else:
                self._forget(command)
        self._context.kick()

    def _forget(self, command: Command) -> None:
        """Keep nothing of what `_take` noted: also a command that was refused has had its end."""
        self._in_hand.discard(command.id)
        if command.workflow_id is not None and command.kind in _CLOSING:
            self._context.closing.discard(command.workflow_id)
            self._context.turns.forget(command.workflow_id)
            if not self._context.is_open(command.workflow_id):
                self._context.database.secrets.forget(command.workflow_id)

    async def _run(self, command: Command) -> None:
        write = self._context.writer.write
        if command.status == "queued":
            started = {"started_at": self._context.database.now()}
            payload = {"kind": command.kind, "source": command.source, "by": origin_of(command)}
            await write(
                lambda tx: fire(tx, COMMAND, command.id, "run", changes=started, payload=payload)
            )
        crash_points.at("command.taken")
        try:
            asked = commands.from_row(command.kind, command.args)
            result = await ACTIONS[command.kind](self._context, command, asked)
        except WrongStateError as error:
            settle = _refuse(command, "reject", error)
        except DatabaseError:
            raise
        except PerlesError as error:
            settle = _refuse(command, "fail", error)
        except Exception as error:  # noqa: BLE001 - a bug in one command must not end the engine
            log.exception("command %s (%s) failed", command.id, command.kind)
            settle = _refuse(command, "fail", PerlesError(f"internal error: {error!r}"))
        else:
            settle = _succeed(command, result)
        crash_points.at("command.before-commit")
        await write(settle)
        crash_points.at("command.after-commit")

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
        checked = await self._checks.look(caller, kind, args)
        seen = None
        if self._allowances.of(caller).is_open and caller.workflow_id not in context.closing:
            seen = await outside.seen_by_git(context, caller, kind, args)
        async with self.lane(caller.workflow_id):
            if (answer := self._answered(caller, kind, key)) is not None:
                return answer
            allowance, size = self._allowances.of(caller), len(journal.encode(args))
            if not allowance.admits(kind, size):
                raise ToolError(allowance.refusal(kind))
            if caller.workflow_id in context.closing:
                raise ToolError("cannot do this any more: the workflow is ending; end your turn")
            try:
                found = await outside.look(context, caller, kind, args, seen)
                found = found._replace(check=checked)
                result = await context.writer.write(
                    lambda tx: _call(tx, context, caller, kind, args, key, found)
                )
            except DatabaseError:
                raise
            except PerlesError as error:
                if not allowance.is_open:
                    allowance.leave_out(size)
                    raise
                text, waits = str(error), isinstance(error, NoWorkerSlotError) and error.waits

                def refuse(tx: Tx) -> int:
                    kept = _refused(tx, caller, kind, args, key, text)
                    if waits:
                        ask_for_worker(tx, caller.workflow_id, text)
                    return kept

                size = await context.writer.write(refuse)
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


def _is_forced(command: Command) -> bool:
    """Whether agents get no time; a row that cannot be read is told of when its turn comes."""
    with suppress(UsageError):
        asked = commands.from_row(command.kind, command.args)
        return isinstance(asked, commands.Stop) and asked.force
    return False


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
    found: Outside,
) -> dict[str, Any]:
    workflow = tx.need(Workflow, caller.workflow_id)
    agent = tx.need(Agent, caller.agent_id)
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


def _refused(
    tx: Tx, caller: Caller, kind: str, args: dict[str, Any], key: str | None, error: str
) -> int:
    """Record a call that was refused; the characters that it takes."""
    args, error = tx.secrets.mask(tx, caller.workflow_id, (shortened(args), error[:MAX_REFUSED]))
    command_id = _record(tx, caller, kind, args, key)
    changes = {"finished_at": tx.now, "error": error}
    payload = {"kind": kind, "error": error}
    fire(tx, COMMAND, command_id, "reject", changes=changes, payload=payload)
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


def _succeed(command: Command, result: dict[str, Any]) -> _Settle:
    def settle(tx: Tx) -> None:
        changes = {"finished_at": tx.now, "result": journal.encode(result)}
        payload = {"kind": command.kind, **result}
        fire(tx, COMMAND, command.id, "succeed", changes=changes, payload=payload)

    return settle


def _refuse(command: Command, trigger: CommandTrigger, error: PerlesError) -> _Settle:
    def settle(tx: Tx) -> None:
        changes = {
            "finished_at": tx.now,
            "error": str(error),
            "result": journal.encode({"exit_code": error.exit_code}),
        }
        told = {"kind": command.kind, "error": str(error)}
        fire(tx, COMMAND, command.id, trigger, changes=changes, payload=told)
        if command.source == "mcp":  # who asked by a tool was answered before, and learns it so
            about = {"sender": "perles", "kind": "system", "body": str(error)}
            messages.tell_coordinator(tx, command.workflow_id or "", **about)

    return settle
