"""Notifications: a command of the user's, told of events that a person may want to know of.

How far they were told is a row, moved on before the command runs: whatever is killed
when, none is told twice. The engine never waits for the command.
"""

import asyncio
import os
import signal
from functools import partial
from typing import Any, Final

from perles.domain.errors import DatabaseError
from perles.domain.events import fits
from perles.engine.bulkhead import Troubles
from perles.engine.context import Context, log
from perles.store.events import cursors, journal
from perles.store.events.bus import NOTIFY
from perles.store.expressions import bindparam, select
from perles.store.schema.agents import Agent
from perles.store.schema.journal import Event
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.transaction import Tx

BATCH: Final = 200
AGAIN_SECONDS: Final = 1.0
"""How long to wait after events could not be told."""

_NEXT: Final = Sql(
    select(
        Event.seq,
        Event.created_at.label("at"),
        Event.type,
        Event.workflow_id,
        Event.payload,
        Event.turn_id.label("turn"),
        Workflow.name.label("workflow"),
        Agent.name.label("agent"),
        Task.key.label("task"),
    )
    .outerjoin(Workflow, Workflow.id == Event.workflow_id)
    .outerjoin(Agent, Agent.id == Event.agent_id)
    .outerjoin(Task, Task.id == Event.task_id)
    .where(Event.seq > bindparam("after"))
    .order_by(Event.seq)
    .limit(BATCH)
)


class Notifier:
    """Tells events to the command of `notify:` in the configuration, one at a time, in order."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._after = 0
        self._leaving = False
        self._troubles = Troubles()

    def look(self) -> None:
        """Something was committed: look for events to tell."""
        self._changed.set()

    async def start(self) -> None:
        """Begin with what came since the last engine told; with nothing old where it told none."""
        tells = bool(self._context.config.notify.command)
        self._after = await self._context.writer.write(partial(_begin, tells=tells))
        self._changed.set()
        self._task = asyncio.ensure_future(self._work())

    async def stop(self) -> None:
        """Tell what is left, in the time that one notification may take; then the next engine."""
        if self._task is None:
            return
        self._leaving = True
        self._changed.set()
        try:
            async with asyncio.timeout(self._context.config.notify.timeout):
                await self._task
        except TimeoutError:
            log.info("the next engine tells the rest of the notifications")
        else:
            await self._keep()

    async def _keep(self) -> None:
        """Keep how far events were looked at: what was not wanted then stays untold."""
        if self._context.config.notify.command:
            await self._context.writer.write(partial(_move, seq=self._after))

    async def _work(self) -> None:
        while not self._leaving:
            await self._changed.wait()
            self._changed.clear()
            if not await self._try():
                await asyncio.sleep(AGAIN_SECONDS)
                self._changed.set()
        await self._try()

    async def _try(self) -> bool:
        """Tell what there is; whether that could be done."""
        try:
            await self._tell_all()
        except DatabaseError as error:
            log.error("notifications wait: %s", error)
        except Exception as error:  # noqa: BLE001 - the bulkhead: later events are told
            self._troubles.tell("telling events to the notify command", error)
        else:
            return True
        return False

    async def _tell_all(self) -> None:
        while True:
            rows = self._context.reader.rows(_NEXT, after=self._after)
            for row in rows:
                if self._is_wanted(row["type"]):
                    seq = row["seq"]
                    await self._context.writer.write(partial(_move, seq=seq))
                    self._after = seq
                    await self._tell(row)
                self._after = row["seq"]
            if len(rows) < BATCH:
                return
            await self._keep()

    def _is_wanted(self, type: str) -> bool:
        notify = self._context.config.notify
        if not notify.command or type == "notify.failed":
            return False
        return any(fits(type, glob) for glob in notify.events)

    async def _tell(self, row: Any) -> None:
        notify = self._context.config.notify
        event = dict(row) | {"payload": journal.decode(row["payload"])}
        problem = await run_command(
            notify.command, journal.encode(event).encode(), notify.timeout, self._context.environ
        )
        if problem is not None:
            payload = {"event": row["seq"], "type": row["type"], "reason": problem}
            about = {"workflow_id": row["workflow_id"]}
            await self._context.writer.write(
                lambda tx: journal.append(tx, "notify.failed", payload, **about)
            )


async def run_command(
    command: tuple[str, ...], text: bytes, timeout: float, environ: dict[str, str]
) -> str | None:
    """Run a command, without a shell, with `text` on its stdin; what went wrong, or None.

    When its time is up, it is killed with all that it started.
    """
    nowhere = asyncio.subprocess.DEVNULL
    try:
        child = await asyncio.create_subprocess_exec(
            *command,
            stdin=asyncio.subprocess.PIPE,
            stdout=nowhere,
            stderr=nowhere,
            env=environ,
            start_new_session=True,
        )
    except (OSError, ValueError) as error:
        return f"cannot run {command[0]}: {getattr(error, 'strerror', None) or error}"
    try:
        async with asyncio.timeout(timeout):
            await child.communicate(text)
    except TimeoutError:
        return f"{command[0]} took longer than {timeout:g}s and was killed"
    finally:
        if child.returncode is None:
            _kill(child.pid)
            await child.wait()
    return f"{command[0]} ended with exit {child.returncode}" if child.returncode else None


def _kill(group: int) -> None:
    try:
        os.killpg(group, signal.SIGKILL)
    except ProcessLookupError:
        log.debug("the notify command ended by itself")


def _begin(tx: Tx, tells: bool) -> int:
    """The seq to begin after. The cursor stands only while there is a command to tell."""
    if tells:
        return cursors.begin(tx, NOTIFY)
    cursors.forget(tx, NOTIFY)
    return cursors.newest(tx)


def _move(tx: Tx, seq: int) -> None:
    """Also for a command that was added by a reload, which has no cursor yet."""
    cursors.move(tx, NOTIFY, seq)
