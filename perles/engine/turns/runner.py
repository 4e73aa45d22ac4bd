"""Turns: an agent's queued messages become one prompt, one process, and one outcome.

A turn row is committed before its process starts, the process's identity right
after; its output is read from its file, and each piece goes to the journal in
one transaction with the offset it was read to. When the process has ended and
the file is drained, the outcome is decided and applied by turn id.
"""

import asyncio
import errno
import math
import signal
import time
from collections.abc import Collection, Coroutine
from dataclasses import replace
from pathlib import Path
from typing import Any, Final

from sqlalchemy import bindparam, exists, func, select

from perles.agents import sandbox
from perles.agents.environment import allowed, without_proxied_loopback
from perles.agents.provider import Launch, Outcome
from perles.domain.errors import DatabaseError, PerlesError
from perles.domain.secrecy import texts_of
from perles.engine import crash_points
from perles.engine.bulkhead import unhandled
from perles.engine.context import Context, log
from perles.engine.end_request import request_end
from perles.engine.turns import metering, queue
from perles.engine.turns.ending import Ending
from perles.engine.turns.ingest import apply_batch
from perles.engine.turns.leftovers import Census
from perles.engine.turns.limits import OUTPUT_LIMIT, TurnLimits
from perles.engine.turns.live import LiveTurn
from perles.engine.turns.outcome import LOST, conclude
from perles.engine.turns.start import begin, kept_token, refused, running, turn_context
from perles.executor.local import launcher, processes
from perles.executor.local.identity import Identity, hold, release
from perles.executor.local.launcher import SpawnError
from perles.executor.local.output import Batch, tail_of
from perles.store.database import Tx
from perles.store.schema.agents import Agent, Message, ProviderHold, Turn
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql

KILL_PATIENCE: Final = 10.0
"""Seconds to wait for a process to be gone after SIGKILL."""
FAMILY_GRACE: Final = 1.0
"""Seconds that what an agent left behind has between TERM and KILL."""
LIMIT_GRACE: Final = 5.0
"""Seconds that an agent gets to end when its time is up."""
LOOK: Final = 0.02
UNNEEDED: Final = Outcome(False, "crashed", "the workflow was paused or ended before it began")
BROKEN: Final = Ending("fail", "turn_failed")
"""How a turn ends that raised what nobody expected."""

HOLD_SECONDS: Final = 2.0
"""How long no turn is started after one could not be for want of space, memory or processes."""
SHORTAGES: Final = frozenset(
    {errno.ENOSPC, errno.EDQUOT, errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE}
)
MIN_SHARE: Final = 10
"""Turns whose output is looked at in one call of `read_all`; with many, each has its round."""
ROUNDS: Final = 20

DELIVERABLE: Final = Sql(
    select(Agent)
    .join(Workflow, Workflow.id == Agent.workflow_id)
    .where(
        Agent.status == "ready",
        Workflow.state == "running",
        Agent.held_until.is_(None) | (Agent.held_until <= bindparam("now")),
        ~exists().where(
            ProviderHold.provider == Agent.provider,
            func.coalesce(ProviderHold.probe_at, ProviderHold.until) > bindparam("now"),
        ),
        exists().where(Message.agent_id == Agent.id, Message.status == "queued"),
    )
    .order_by(Workflow.priority.desc(), Agent.role, Agent.id)
)


class Turns:
    """All turns whose process may live."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._census = Census()
        self._limits = TurnLimits()
        self._live: dict[int, LiveTurn] = {}
        self._tasks: set[asyncio.Task[None]] = set()
        self._hold_until = 0.0
        self._hurried: set[str] = set()
        self._next = 0

    def of(self, workflow_id: str) -> list[LiveTurn]:
        """The live turns of a workflow."""
        return [live for live in self._live.values() if live.workflow_id == workflow_id]

    def of_agent(self, agent_id: int) -> LiveTurn | None:
        """The live turn of an agent."""
        return next((live for live in self._live.values() if live.agent_id == agent_id), None)

    def any_live(self) -> bool:
        """Whether the process of any turn may live."""
        return bool(self._live)

    def of_any(self, workflow_ids: Collection[str], turn_ids: Collection[int]) -> list[LiveTurn]:
        """The live turns of these workflows, and these."""
        return [
            live
            for live in self._live.values()
            if live.workflow_id in workflow_ids or live.turn_id in turn_ids
        ]

    async def deliver(self) -> None:
        """Start a turn for every agent that is ready and has messages."""
        context = self._context
        if time.monotonic() < self._hold_until:
            return
        now = context.database.now()
        found = context.reader.all(Agent, DELIVERABLE, now=now)
        ready = [agent for agent in found if context.is_open(agent.workflow_id)]
        for agent in await queue.admitted(context, ready):
            try:
                await self._start(agent)
            except DatabaseError:
                raise
            except Exception as error:  # noqa: BLE001 - the bulkhead: the other agents go on
                await self._give_up_workflow(agent.workflow_id, error)

    async def _start(self, agent: Agent) -> None:
        begun = await self._begin(agent)
        crash_points.at("begin.after-commit")
        if begun is None:
            return
        turn, workflow = begun
        try:
            await self._run(turn, agent, workflow)
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - the bulkhead
            await self.abandon(turn, error)

    async def _begin(self, agent: Agent) -> tuple[Turn, Workflow] | None:
        """Commit the agent's turn; one that cannot be prepared has failed."""
        context = self._context
        try:
            base = await metering.base(context, agent)
            token = kept_token(context, agent)
            return await context.writer.write(lambda tx: begin(tx, context, agent.id, base, token))
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - the bulkhead
            if _may_pass(error):
                log.error("cannot prepare a turn of %s yet: %s", agent.name, error)
                self._hold_until = time.monotonic() + HOLD_SECONDS
                return None
            refusal = await context.writer.write(lambda tx: refused(tx, agent.id))
            if refusal is not None:
                await self.abandon(refusal, error)
        return None

    async def _run(self, turn: Turn, agent: Agent, workflow: Workflow) -> None:
        context = self._context
        live = LiveTurn.of(
            turn,
            agent,
            context.provider(agent.provider, agent.role, workflow),
            context,
            context.environ_of(workflow),
        )
        self._live[live.turn_id] = live
        if not context.is_open(workflow.id):
            # It was paused or ended while the row was written: the process is not needed.
            await self._conclude(live, Ending("interrupt", "turn_ended"), UNNEEDED, None)
            return
        if not await self._launch(live, turn, agent, workflow):
            return
        crash_points.at("spawn.after")
        identity = live.identity
        assert identity is not None
        await context.writer.write(lambda tx: running(tx, live.turn_id, identity))
        crash_points.at("running.after-commit")
        self.watch(live)

    async def _launch(self, live: LiveTurn, turn: Turn, agent: Agent, workflow: Workflow) -> bool:
        """Start the process; where that cannot be, the turn is concluded."""
        context = self._context
        provider = context.provider(agent.provider, agent.role, workflow)
        try:
            prepared = turn_context(context, provider, turn, agent, workflow)
            environ = allowed(prepared.environ, provider.variables)
            # It looks at programs and configurations, wherever those lie.
            launch = await asyncio.to_thread(provider.launch, prepared)
            handed_out = {prepared.token, *texts_of(launch.env)}
            context.database.secrets.tell(workflow.id, handed_out)
            if live.ending is not None:  # it was paused or ended meanwhile
                await self._conclude(live, live.ending, UNNEEDED, None)
                return False
            launch = sandbox.wrapped(
                launch,
                context.providers_of(workflow).sandbox_of(agent.role),
                work_dir=Path(workflow.work_dir),
                session=prepared.folder,
                state=context.paths.root,
                environ=environ,
            )
            environ = without_proxied_loopback({**environ, **launch.env})
            launch = replace(launch, env=environ)
            live.identity = self._spawn(live, launch, workflow)
        except (PerlesError, OSError) as error:
            ending = Ending("fail", "turn_failed")
            if _may_pass(error):
                log.error("cannot start a turn of %s yet: %s", agent.name, error)
                ending = Ending("lose", "turn_ended")
                self._hold_until = time.monotonic() + HOLD_SECONDS
            await self._conclude(live, ending, _not_started(error), None)
            return False
        live.is_child = True
        return True

    def _spawn(self, live: LiveTurn, launch: Launch, workflow: Workflow) -> Identity:
        environ = {
            "PERLES_WORKFLOW": live.workflow_id,
            "PERLES_AGENT": live.agent,
            "PERLES_TURN": f"{live.workflow_id}/{live.turn_id}",
        }
        return launcher.spawn(
            launch,
            cwd=Path(workflow.work_dir),
            env=environ,
            files=live.files,
            umask=self._context.umask_of(workflow),
        )

    def watch(self, live: LiveTurn) -> None:
        """See the turn to its end: its process may be our child or one that we adopted."""
        self._live[live.turn_id] = live
        live.is_watched = True
        loop = asyncio.get_running_loop()
        fd = None if live.identity is None else hold(live.identity)
        if fd is None:
            self._spawn_task(self.finish(live))
            return
        held = fd

        def _on_end() -> None:
            loop.remove_reader(held)
            release(held)
            self._spawn_task(self.finish(live))

        loop.add_reader(held, _on_end)

    def _spawn_task(self, coroutine: "Coroutine[Any, Any, None]") -> None:
        task = asyncio.ensure_future(coroutine)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(_log_failure)

    async def read_all(self) -> None:
        """Journal what live turns printed, and end those that went too far.

        Of very many only a share is looked at in each call.
        """
        lives = list(self._live.values())
        share = max(MIN_SHARE, math.ceil(len(lives) / ROUNDS))
        if len(lives) > share:
            first = self._next % len(lives)
            self._next = first + share
            lives = (lives + lives)[first : first + share]
        grown = [live for live in lives if not live.is_broken and self._has_news(live)]
        await asyncio.gather(*(self._read(live) for live in grown))
        due = [live for live in lives if not live.reading.locked() and metering.is_due(live)]
        await asyncio.gather(*(self._meter(live) for live in due if not live.is_broken))

    def _has_news(self, live: LiveTurn) -> bool:
        """Whether the turn printed more; one that goes too far is ended on the way."""
        try:
            ended_by = None if live.ending else self._limits.broken_by(live, self._context.config)
            if ended_by is not None:
                self._spawn_task(self._end_for(live, ended_by))
            return not live.reading.locked() and live.has_grown()
        except Exception as error:  # noqa: BLE001 - the bulkhead
            self._spawn_task(self._crash(live, error))
            return False

    async def _read(self, live: LiveTurn) -> None:
        try:
            async with live.reading:
                if live.done.is_set():
                    return  # it was concluded while this waited
                await self._ingest(live)
        except (OSError, DatabaseError) as error:
            if not live.troubled:
                log.error("cannot journal the output of %s now: %s", live.agent, error)
            live.troubled = True
        except Exception as error:  # noqa: BLE001 - the bulkhead
            await self._crash(live, error)
        else:
            live.troubled = False

    async def _meter(self, live: LiveTurn) -> None:
        """Journal what the turn used so far, where its CLI writes that to a file."""
        try:
            async with live.reading:
                event = None if live.done.is_set() else await metering.told(live)
                if event is None:
                    return
                batch = Batch([event], live.offset, True)
                await self._journal(live, batch)
        except DatabaseError as error:  # it is told again at the next call, or at the end
            log.error("cannot journal what %s used now: %s", live.agent, error)
        except Exception as error:  # noqa: BLE001 - the bulkhead
            await self._crash(live, error)

    async def _ingest(self, live: LiveTurn) -> bool:
        """Journal one piece of output; whether that was all there is by now.

        A piece that could not be written is kept: the parser must not hear it twice.
        """
        batch = live.pending or live.read(ended=False)
        if batch.offset != live.offset:
            live.pending = batch
            await self._journal(live, batch)
            crash_points.at("output.after-commit")
            live.pending = None
            live.offset = batch.offset
            metering.heard(live, batch)
            self._end_hopeless(live, batch)
        return batch.at_end

    async def _journal(self, live: LiveTurn, batch: Batch) -> None:
        await self._context.writer.write(lambda tx: apply_batch(tx, live, batch))
        live.output.told()

    def _end_hopeless(self, live: LiveTurn, batch: Batch) -> None:
        """End a turn whose CLI goes on although it said what makes that vain."""
        for event in batch.events:
            if event.data.get("ends_turn") and live.ending is None and live.identity is not None:
                reason = Outcome(False, event.data.get("error_class"), event.text)
                self._spawn_task(self._end_for(live, reason))
                return

    async def _end_for(self, live: LiveTurn, reason: Outcome) -> None:
        """End a turn that went beyond a limit, and tell which."""
        timed_out = reason.error_class == "timed_out"
        log.warning("ending turn %s of %s: %s", live.number, live.agent, reason.error)
        live.verdict = reason
        ending = Ending("time_out" if timed_out else "fail", "turn_failed")
        await self.interrupt([live], ending, grace=LIMIT_GRACE if timed_out else 0.0)

    async def abandon(self, turn: Turn, error: Exception) -> None:
        """Fail a turn that raised what nobody expected, whatever is known of it by now."""
        live = self._live.get(turn.id)
        if live is None:
            agent = self._context.reader.need(Agent, turn.agent_id)
            live = LiveTurn.broken(turn, agent, self._context)
        await self._crash(live, error)

    async def _crash(self, live: LiveTurn, error: Exception) -> None:
        """The bulkhead: end this turn, with all that runs of it, and nothing else."""
        _blame(live, error)
        if live.is_watched:
            self._spawn_task(self.interrupt([live], BROKEN, grace=0.0))
        else:
            await self.finish(live)

    async def finish(self, live: LiveTurn) -> None:
        """The process has ended: end what it left, drain its output, decide the outcome."""
        self._live[live.turn_id] = live
        try:
            await self._finish(live)
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - the bulkhead
            if live.verdict is None or not live.is_broken:
                _blame(live, error)
            await self._give_up(live)

    async def _give_up(self, live: LiveTurn) -> None:
        """Conclude a turn by its row alone; where even that cannot be, its workflow fails."""
        try:
            await self._conclude(live, live.ending or BROKEN, live.verdict or LOST, None)
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - the bulkhead
            self._let_go(live)
            await self._give_up_workflow(live.workflow_id, error)

    async def _give_up_workflow(self, workflow_id: str, error: Exception) -> None:
        """Fail a workflow whose turns can neither be started nor ended."""
        log.error("cannot handle the turns of %s", workflow_id, exc_info=error)
        reason = unhandled(error).error

        def fail(tx: Tx) -> None:
            request_end(tx, tx.need(Workflow, workflow_id), "fail", reason)

        await self._context.writer.write(fail)

    async def _finish(self, live: LiveTurn) -> None:
        code = launcher.left_status(live.files.status)
        if code != 0:
            await self._end_family(live, grace=FAMILY_GRACE)
        is_known = code is not None
        if live.is_child and live.identity is not None:
            reaped = launcher.reap(live.identity.pid)
            if code is None and reaped is not None:
                code, is_known = reaped
        async with live.reading:
            if live.is_broken and live.verdict is not None:
                await self._conclude(live, live.ending or BROKEN, live.verdict, code)
                return
            last = await metering.at_end(live, await self._drain(live))
            outcome = live.outcome(code, "\n".join(tail_of(live.files.stderr)))
            ending = Ending.of(outcome)
            if not is_known and not outcome.succeeded:
                ending, outcome = Ending("lose", "turn_ended"), LOST
            if live.verdict is not None:
                outcome = self._judged(live, live.verdict)
            await self._conclude(live, live.ending or ending, outcome, code, last)

    def _judged(self, live: LiveTurn, verdict: Outcome) -> Outcome:
        """The verdict on a turn that we ended, unless it had told its result and only lingered.

        The exit status of a process that was ended tells nothing.
        """
        told = live.outcome(None, "")
        if verdict.error_class != "timed_out" or not told.succeeded:
            return verdict
        live.ending = None
        return told

    async def _drain(self, live: LiveTurn) -> Batch | None:
        """Journal the rest, except the very last piece, which goes with the outcome.

        What a process that lives on prints later is not the turn's. What a turn printed beyond
        its limit is not read: its file keeps it.
        """
        try:
            end = live.source.size(live.identity)
            if live.verdict is not None and live.verdict.error_class == OUTPUT_LIMIT:
                end = min(end, self._context.config.limits.turn_output)
            while not await self._ingest(live) and live.offset < end:
                pass
            return live.read(ended=True)
        except OSError as error:
            log.error("cannot read the last output of %s: %s", live.agent, error)
            return None

    async def _conclude(
        self,
        live: LiveTurn,
        ending: Ending,
        outcome: Outcome,
        code: int | None,
        last: Batch | None = None,
    ) -> None:
        context = self._context
        await context.writer.write(
            lambda tx: conclude(tx, context, live, ending, outcome, exit_code=code, last=last)
        )
        crash_points.at("outcome.after-commit")
        self._let_go(live)
        self._context.kick()

    def _let_go(self, live: LiveTurn) -> None:
        self._live.pop(live.turn_id, None)
        live.source.close()
        live.done.set()

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

    def cut_every_grace_short(self) -> None:
        """`cut_grace_short` for every workflow with a live turn."""
        for workflow_id in {live.workflow_id for live in self._live.values()}:
            self.cut_grace_short(workflow_id)

    def forget(self, workflow_id: str) -> None:
        """The workflow has ended: whoever was in a hurry has what they wanted."""
        self._hurried.discard(workflow_id)

    async def _end_family(self, live: LiveTurn, *, grace: float) -> None:
        """End what an agent's process left behind when it was cut off: nothing of it runs on."""
        if not await self._census.has_left_something(live):
            return
        self._signal([live], signal.SIGTERM)
        if await self._is_gone(live, grace):
            return
        deadline = time.monotonic() + KILL_PATIENCE
        while self._signal([live], signal.SIGKILL):  # what forks meanwhile is met the next time
            if time.monotonic() > deadline:
                log.error("what %s left behind outlives SIGKILL", live.agent)
                return
            await asyncio.sleep(LOOK)

    async def _is_gone(self, live: LiveTurn, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        while processes.family([live.marker], live.sessions(), since=live.since()):
            if time.monotonic() > deadline:
                return False
            await asyncio.sleep(LOOK)
        return True

    def _signal(self, lives: list[LiveTurn], number: signal.Signals) -> int:
        return processes.signal_family(
            number,
            [live.marker for live in lives],
            [session for live in lives for session in live.sessions()],
            since=min(live.since() for live in lives),
        )

    async def settle(self) -> None:
        """Wait for what is being concluded right now."""
        while self._tasks:
            await asyncio.gather(*self._tasks, return_exceptions=True)


def _blame(live: LiveTurn, error: Exception) -> None:
    """No more of the turn is read; what was journalled of it stays."""
    log.error("cannot handle turn %s of %s", live.number, live.agent, exc_info=error)
    live.is_broken, live.verdict = True, unhandled(error)
    live.ending = live.ending or BROKEN


def _not_started(error: Exception) -> Outcome:
    kind = "invalid_request" if isinstance(error, PerlesError) else "crashed"
    kind = "crashed" if isinstance(error, SpawnError) else kind
    return Outcome(False, kind, str(error))


def _may_pass(error: Exception) -> bool:
    """Whether starting the process may work later: the machine is short of something."""
    cause = error.__cause__ if isinstance(error, SpawnError) else error
    return isinstance(cause, OSError) and cause.errno in SHORTAGES


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
