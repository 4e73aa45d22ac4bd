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

from perles.domain import commands
from perles.domain.errors import (
    DatabaseError,
    PerlesError,
    UsageError,
    WrongStateError,
)
from perles.domain.states import COMMAND, WORKFLOW, CommandTrigger
from perles.engine import crash_points
from perles.engine.commands.base import origin_of
from perles.engine.commands.registry import ACTIONS
from perles.engine.commands.tool_calls import ToolCalls
from perles.engine.context import log
from perles.engine.services import Services
from perles.engine.team.reminders import look_after_command
from perles.executor.background import Background
from perles.fabric import messages
from perles.mcp.host import Caller
from perles.store.events import journal
from perles.store.expressions import select
from perles.store.schema.engine import Command
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.transaction import Tx
from perles.store.transition import fire

_Settle = Callable[[Tx], None]
_CLOSING: Final = frozenset(kind for kind, one in commands.COMMANDS.items() if one.ends)

QUEUED_COMMANDS: Final = Sql(
    select(Command.id).where(Command.status == "queued").order_by(Command.id)
)
UNFINISHED_COMMANDS: Final = Sql(
    select(Command).where(Command.status == "running").order_by(Command.id)
)


class Commands:
    """Takes queued commands and carries them out."""

    def __init__(self, services: Services) -> None:
        self._context = services
        self._lanes: WeakValueDictionary[str, asyncio.Lock] = WeakValueDictionary()
        self._background = Background()
        self._tool_calls = ToolCalls(services, self.lane)
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
        """Take the commands that are queued, in the order of their ids.

        Only these kinds, and all that is asked of workflows that have ended: it is refused.
        """
        reader = self._context.reader
        queued = [int(row["id"]) for row in reader.rows(QUEUED_COMMANDS)]
        for command_id in queued:
            if command_id in self._in_hand:
                continue
            command = reader.get(Command, command_id)
            if command is not None and (kinds is None or self._is_due(command, kinds)):
                self._take(command)

    def _is_due(self, command: Command, kinds: frozenset[str]) -> bool:
        if command.kind in kinds or command.workflow_id is None:
            return command.kind in kinds
        return self._context.reader.need(Workflow, command.workflow_id).state in WORKFLOW.terminal

    def is_busy(self) -> bool:
        """Whether a command is being carried out."""
        return bool(self._background)

    async def settle(self) -> None:
        """Wait for the commands that were taken."""
        await self._background.settle()

    def _take(self, command: Command) -> None:
        self._in_hand.add(command.id)
        if command.workflow_id is not None and command.kind in _CLOSING:
            self._context.closing.add(command.workflow_id)
            if _is_forced(command):
                self._context.turns.cut_grace_short(command.workflow_id)
        self._background.start(self._carry_out(command))

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
        await write(lambda tx: self._settle(tx, command, settle))
        crash_points.at("command.after-commit")

    def _settle(self, tx: Tx, command: Command, settle: _Settle) -> None:
        settle(tx)
        look_after_command(tx, self._context, command)

    async def call(
        self, caller: Caller, kind: str, args: dict[str, Any], key: str | None
    ) -> dict[str, Any]:
        """Carry out an agent's tool call (`ToolCalls.call`). Raises `PerlesError`."""
        return await self._tool_calls.call(caller, kind, args, key)


def _is_forced(command: Command) -> bool:
    """Whether agents get no time; a row that cannot be read is told of when its turn comes."""
    with suppress(UsageError):
        asked = commands.from_row(command.kind, command.args)
        return isinstance(asked, commands.Stop) and asked.force
    return False


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
