"""Turns: an agent's queued messages become one prompt, one process, and one outcome.

A turn row is committed before its process starts, the process's identity right
after; its output is read from its file, and each piece goes to the journal in
one transaction with the offset it was read to. When the process has ended and
the file is drained, the outcome is decided and applied by turn id.
"""

import asyncio
import errno
import os
import signal
import time
from collections.abc import Coroutine
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from perles.agents import process, sandbox
from perles.agents.environment import allowed
from perles.agents.output import Batch, read_batch, tail_of
from perles.agents.process import Identity, SpawnError, TurnFiles
from perles.agents.prompts import system_prompt
from perles.agents.provider import Launch, Letter, Outcome, Parser, Provider, TurnContext
from perles.domain.errors import PerlesError
from perles.domain.states import AGENT, TURN
from perles.engine import queries
from perles.engine.context import Context, log
from perles.engine.outcome import Ending, apply_batch, conclude
from perles.store import journal
from perles.store.database import Tx
from perles.store.schema import Agent, Message, Turn, Workflow
from perles.store.transition import fire
from perles.workspace.session import agent_folder, read_token, turn_output

KILL_PATIENCE: Final = 10.0
"""Seconds to wait for a process to be gone after SIGKILL."""

HOLD_SECONDS: Final = 2.0
"""How long no turn is started after one could not be for want of space, memory or processes."""
SHORTAGES: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE}
)


@dataclass(slots=True, eq=False)
class LiveTurn:
    """A turn whose process may live. `ending` says how it is to end when we end it."""

    turn_id: int
    workflow_id: str
    agent_id: int
    agent: str
    role: str
    files: TurnFiles
    parser: Parser
    text_only: bool
    has_mcp: bool = True
    offset: int = 0
    identity: Identity | None = None
    ending: Ending | None = None
    done: asyncio.Event = field(default_factory=asyncio.Event)
    reading: asyncio.Lock = field(default_factory=asyncio.Lock)

    @property
    def marker(self) -> str:
        """What every process of this turn carries in its environment."""
        return f"PERLES_TURN={self.workflow_id}/{self.turn_id}"

    def read(self, *, ended: bool) -> Batch:
        """What the process printed since the last time."""
        return read_batch(
            self.files.stdout, self.offset, self.parser, ended=ended, text_only=self.text_only
        )


class Turns:
    """All turns whose process may live."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._live: dict[int, LiveTurn] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._hold_until = 0.0
        self._hurried: set[str] = set()

    def of(self, workflow_id: str) -> list[LiveTurn]:
        """The live turns of a workflow."""
        return [live for live in self._live.values() if live.workflow_id == workflow_id]

    async def deliver(self) -> None:
        """Start a turn for every agent that is ready and has messages."""
        context = self._context
        if time.monotonic() < self._hold_until:
            return
        now = context.database.now()
        for agent in context.reader.all(Agent, queries.DELIVERABLE, now=now):
            if context.supervisor.is_open(agent.workflow_id):
                await self._start(agent)

    async def _start(self, agent: Agent) -> None:
        context = self._context
        provider = context.provider(agent.provider, agent.role)
        begun = await context.writer.write(lambda tx: _begin(tx, context, agent.id))
        if begun is None:
            return
        turn, workflow = begun
        live = LiveTurn(
            turn_id=turn.id,
            workflow_id=workflow.id,
            agent_id=agent.id,
            agent=agent.name,
            role=agent.role,
            files=TurnFiles.at(Path(turn.stdout_path)),
            parser=provider.parser(journal.decode(agent.session_totals)),
            text_only=provider.prints_text_only,
            has_mcp=provider.has_mcp,
        )
        self._live[live.turn_id] = live
        try:
            prepared = _turn_context(context, provider, turn, agent, workflow)
            launch = provider.launch(prepared)
            environ = allowed(context.environ, provider.variables)
            launch = sandbox.wrapped(
                launch,
                context.config.providers.sandbox_of(agent.role),
                work_dir=Path(workflow.work_dir),
                session=prepared.folder,
                environ=environ,
            )
            live.identity = self._spawn(live, launch, Path(workflow.work_dir), environ)
        except (PerlesError, OSError) as error:
            ending = Ending("fail", "turn_failed")
            if _may_pass(error):
                log.error("cannot start a turn of %s yet: %s", agent.name, error)
                ending = Ending("lose", "turn_ended")
                self._hold_until = time.monotonic() + HOLD_SECONDS
            await self._conclude(live, ending, _not_started(error), None)
            return
        identity = live.identity
        await context.writer.write(lambda tx: running(tx, live.turn_id, identity))
        self.watch(live)

    def _spawn(
        self, live: LiveTurn, launch: Launch, work_dir: Path, allowed_environ: dict[str, str]
    ) -> Identity:
        environ = {
            **allowed_environ,
            "PERLES_WORKFLOW": live.workflow_id,
            "PERLES_AGENT": live.agent,
            "PERLES_TURN": f"{live.workflow_id}/{live.turn_id}",
        }
        return process.spawn(launch, cwd=work_dir, env=environ, files=live.files)

    def watch(self, live: LiveTurn) -> None:
        """See the turn to its end: its process may be our child or one that we adopted."""
        self._live[live.turn_id] = live
        assert live.identity is not None
        loop = asyncio.get_running_loop()
        try:
            fd = os.pidfd_open(live.identity.pid)
        except ProcessLookupError:
            self._spawn_task(self._ended(live))
            return

        def _on_end() -> None:
            loop.remove_reader(fd)
            os.close(fd)
            self._spawn_task(self._ended(live))

        loop.add_reader(fd, _on_end)

    def _spawn_task(self, coroutine: "Coroutine[Any, Any, None]") -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_log_failure)

    async def read_all(self) -> None:
        """Journal what live turns printed since the last time."""
        for live in list(self._live.values()):
            if not live.reading.locked() and _has_grown(live):
                async with live.reading:
                    await self._ingest(live)

    async def _ingest(self, live: LiveTurn) -> bool:
        """Journal one piece of output; whether that was all there is by now."""
        batch = live.read(ended=False)
        if batch.offset != live.offset:
            await self._context.writer.write(lambda tx: apply_batch(tx, live, batch))
            live.offset = batch.offset
        return batch.at_end

    async def _ended(self, live: LiveTurn) -> None:
        """The process has ended: end what it left, drain its output, decide the outcome."""
        identity = live.identity
        reaped = None if identity is None else process.reap(identity.pid)
        code = process.left_status(live.files.status)
        if code is None:
            await self._end_family(live, grace=1.0)
            code = reaped
        async with live.reading:
            while not await self._ingest(live):
                pass
            stderr = "\n".join(tail_of(live.files.stderr))
            last = live.read(ended=True)
            outcome = live.parser.outcome(code, stderr)
            ending = live.ending or Ending.of(outcome)
            await self._conclude(live, ending, outcome, code, last)

    async def _conclude(
        self,
        live: LiveTurn,
        ending: Ending,
        outcome: Outcome,
        code: int | None,
        last: Batch | None = None,
    ) -> None:
        await self._context.writer.write(
            lambda tx: conclude(tx, live, ending, outcome, exit_code=code, last=last)
        )
        self._live.pop(live.turn_id, None)
        live.done.set()
        self._context.kick()

    async def interrupt(self, lives: list[LiveTurn], ending: Ending, *, grace: float) -> None:
        """End these turns: TERM to all that belongs to them, after `grace` seconds KILL."""
        for live in lives:
            live.ending = live.ending or ending
        if not lives:
            return
        self._signal(lives, signal.SIGTERM)
        hurried = any(live.workflow_id in self._hurried for live in lives)
        if await _all_done(lives, 0.0 if hurried else grace):
            return
        remaining = [live for live in lives if not live.done.is_set()]
        self._signal(remaining, signal.SIGKILL)
        if not await _all_done(remaining, KILL_PATIENCE):
            names = ", ".join(live.agent for live in remaining if not live.done.is_set())
            log.error("processes of %s outlive SIGKILL; they are still watched", names)

    def cut_grace_short(self, workflow_id: str) -> None:
        """Kill what is being interrupted, now or by a command before this one."""
        self._hurried.add(workflow_id)
        dying = [live for live in self.of(workflow_id) if live.ending is not None]
        if dying:
            self._signal(dying, signal.SIGKILL)

    def forget(self, workflow_id: str) -> None:
        """The workflow has ended: whoever was in a hurry has what they wanted."""
        self._hurried.discard(workflow_id)

    async def _end_family(self, live: LiveTurn, *, grace: float) -> None:
        """End what an agent's process left behind when it was cut off."""
        loop = asyncio.get_running_loop()
        deadline = loop.time() + grace
        self._signal([live], signal.SIGTERM)
        while process.family([live.marker]) and loop.time() < deadline:  # noqa: ASYNC110 - /proc tells nobody
            await asyncio.sleep(0.02)
        self._signal([live], signal.SIGKILL)

    def _signal(self, lives: list[LiveTurn], number: signal.Signals) -> None:
        sessions = [
            live.identity.pid
            for live in lives
            if live.identity is not None and process.is_alive(live.identity)
        ]
        process.signal_all(process.family([live.marker for live in lives], sessions), number)

    async def settle(self) -> None:
        """Wait for what is being concluded right now."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)


def _begin(tx: Tx, context: Context, agent_id: int) -> tuple[Turn, Workflow] | None:
    """Commit a turn for the agent's queued messages; None when there is nothing to do any more."""
    agent = tx.need(Agent, agent_id)
    workflow = tx.need(Workflow, agent.workflow_id)
    messages = tx.all(Message, queries.QUEUED_MESSAGES, agent_id=agent_id)
    if agent.status != "ready" or workflow.state != "running" or not messages:
        return None
    assert workflow.session_dir is not None
    letters = [Letter(item.sender, item.sender_kind, item.body) for item in messages]
    number = int(tx.value(queries.LAST_TURN_NUMBER, agent_id=agent_id)) + 1
    files = TurnFiles.at(turn_output(Path(workflow.session_dir), agent.name, number))
    turn_id = tx.insert(
        Turn,
        workflow_id=workflow.id,
        agent_id=agent_id,
        number=number,
        status="queued",
        prompt=context.provider(agent.provider, agent.role).prompt(letters),
        stdout_path=str(files.stdout),
        stderr_path=str(files.stderr),
    )
    fire(tx, TURN, turn_id, "start", payload={"number": number, "messages": len(messages)})
    if agent.held_until is not None:
        tx.update(Agent, agent_id, held_until=None)
        tx.run(queries.DROP_PAST_HOLD, provider_=agent.provider, now_=tx.now)
    tx.run(queries.MARK_DELIVERED, agent_id_=agent_id, turn_id_=turn_id, now_=tx.now)
    fire(tx, AGENT, agent_id, "deliver", payload={"turn": number})
    return tx.need(Turn, turn_id), workflow


def running(tx: Tx, turn_id: int, identity: Identity) -> None:
    """Commit that the turn's process was started, and which it is."""
    changes = {
        "pid": identity.pid,
        "start_ticks": identity.start_ticks,
        "boot_id": identity.boot_id,
        "started_at": tx.now,
    }
    fire(tx, TURN, turn_id, "run", changes=changes, payload={"pid": identity.pid})


def _turn_context(
    context: Context, provider: Provider, turn: Turn, agent: Agent, workflow: Workflow
) -> TurnContext:
    session = Path(workflow.session_dir or "")
    role = system_prompt(
        agent.role, agent=agent.name, work_dir=workflow.work_dir, has_mcp=provider.has_mcp
    )
    return TurnContext(
        workflow_id=workflow.id,
        agent=agent.name,
        role=agent.role,
        number=turn.number,
        model=agent.model,
        work_dir=Path(workflow.work_dir),
        folder=agent_folder(session, agent.name),
        prompt=turn.prompt,
        mcp_url=f"http://127.0.0.1:{workflow.mcp_port}/mcp",
        token=read_token(session, agent.name),
        session_id=agent.provider_session_id,
        system_prompt=role,
        environ=context.environ,
    )


def _not_started(error: Exception) -> Outcome:
    kind = "invalid_request" if isinstance(error, PerlesError) else "crashed"
    kind = "crashed" if isinstance(error, SpawnError) else kind
    return Outcome(False, kind, str(error))


def _may_pass(error: Exception) -> bool:
    """Whether starting the process may work later: the machine is short of something."""
    cause = error.__cause__ if isinstance(error, SpawnError) else error
    return isinstance(cause, OSError) and cause.errno in SHORTAGES


def _has_grown(live: LiveTurn) -> bool:
    try:
        return live.files.stdout.stat().st_size > live.offset
    except FileNotFoundError:
        return False


async def _all_done(lives: list[LiveTurn], seconds: float) -> bool:
    try:
        async with asyncio.timeout(seconds):
            for live in lives:
                await live.done.wait()
    except TimeoutError:
        return False
    return True


def _log_failure(task: asyncio.Task[None]) -> None:
    if not task.cancelled() and task.exception() is not None:
        log.error("a turn could not be concluded", exc_info=task.exception())
