"""The engine: holds the lock, and hosts everything that changes running workflows."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from datetime import timedelta
from functools import partial
from typing import Final

from perles.config.home import Paths
from perles.config.model import Config
from perles.domain.clock import Clock, SystemClock, to_text
from perles.domain.errors import DatabaseError, PerlesError
from perles.engine import single_instance, watchdog
from perles.engine.bulkhead import Troubles
from perles.engine.commands.queue import Commands
from perles.engine.commands.tool_host import EngineToolHost
from perles.engine.context import log
from perles.engine.health.monitor import HealthMonitor
from perles.engine.recovery.reconcile import reconcile
from perles.engine.reload import hide_secrets, reload, tell_limits
from perles.engine.resources.audit import audit_leases
from perles.engine.resources.scheduler import ResourceScheduler
from perles.engine.services import Services
from perles.engine.serving.serving import Serving
from perles.engine.subscribers.notify import Notifier
from perles.engine.subscribers.run_records import RunRecords
from perles.engine.supervision.finals import Finals
from perles.engine.supervision.supervisor import Supervisor
from perles.engine.sweeps import heartbeat, retention
from perles.engine.sweeps.clock_watch import ClockWatch
from perles.engine.sweeps.delays import Delays
from perles.engine.sweeps.file_watch import FileWatch
from perles.engine.sweeps.retention import RetentionSweep
from perles.engine.sweeps.sweeps import HEARTBEAT_SECONDS, Sweep, Sweeps
from perles.engine.team.nudges import Nudges
from perles.engine.turns import outcome
from perles.engine.turns.outcome import retry_coordinators
from perles.engine.turns.runner import Turns
from perles.executor.contract import Executor
from perles.mcp.server import McpServers
from perles.store import migrate, statements
from perles.store.database import Database, Reader
from perles.store.schema.workflows import Workflow
from perles.store.sqlite.engine_lock import EngineLock
from perles.store.sqlite.errors import database_errors
from perles.store.sqlite.filesystem import refuse_network
from perles.store.sqlite.watch import Watch
from perles.store.writer import Writer
from perles.workspace.surroundings import shared

TICK: Final = 0.05
"""Seconds between looks at the files of agents and at what other processes committed."""
CALM_SECONDS: Final = 0.25
"""How long a commit that nobody asked to be looked at may wait for the next step."""
RETRY_AFTER: Final = 1.0
"""Seconds before a failed coordinator gets its messages again."""
QUIET_SECONDS: Final = 5.0
"""How long an engine sleeps when nothing lives and the kernel tells of nothing written."""
SETTLE_SECONDS: Final = 0.3
"""How long after a write its commit is looked for at every tick."""
IDLE_SECONDS: Final = 0.5
START_SECONDS: Final = 5.0
"""How long an engine that ends when idle waits: after work, and for its first work."""


class Engine:
    """One per database. `run` returns when it was told to stop, with everything paused."""

    def __init__(
        self,
        paths: Paths,
        config: Config,
        clock: Clock | None = None,
        *,
        executor: Executor,
        load_config: Callable[[], Config] | None = None,
    ) -> None:
        self._paths = paths
        self._executor = executor
        self._config = config
        self._load_config = load_config or (lambda: config)
        self._running: Services | None = None
        self._clock = clock or SystemClock()
        self._changed = asyncio.Event()
        self._awake = asyncio.Event()
        self._stopping = asyncio.Event()
        self._leave_agents = False
        self._exit_when_idle = False
        self._lock = EngineLock(paths.database_path())
        self._problem: PerlesError | None = None
        self._writer: Writer | None = None
        self._turns: Turns | None = None
        self._troubles = Troubles()

    async def reload(self) -> dict[str, list[str]]:
        """Take up the configuration as it stands now. Raises `UsageError`."""
        assert self._running is not None
        return await reload(self._running, self._load_config)

    def stop(self, *, leave_agents: bool = False) -> None:
        """Ask the engine to end. Running workflows are paused, or left to the next engine."""
        if self._writer is not None:
            self._writer.be_impatient()
        self._leave_agents = leave_agents
        self._stopping.set()
        self._kick()

    def _kick(self) -> None:
        """Have the engine look at once at what can be done."""
        self._changed.set()
        self._awake.set()

    def stay(self) -> None:
        """Do not end when idle, though the engine was started so."""
        self._exit_when_idle = False
        watchdog.stays()

    def hurry(self) -> None:
        """Give agents that are being paused or stopped no more time: kill them."""
        if self._turns is not None:
            self._turns.cut_every_grace_short()

    async def run(
        self, *, exit_when_idle: bool = False, errand: frozenset[str] | None = None
    ) -> None:
        """Host the engine until it is stopped, or idle. Raises `EngineRunsError`, `DatabaseError`.

        For an `errand` it only carries out the queued commands of these kinds, starts
        no agent, and leaves those that live to the next engine.
        """
        self._exit_when_idle = exit_when_idle
        path = self._paths.database_path()
        self._paths.refuse_shared()
        refuse_network(path)
        self._executor.prepare()
        with self._lock:
            single_instance.refuse_second(path)
            migrate.ensure(path, self._lock)
            database = Database(path, self._clock)
            self._writer = writer = Writer(database)
            writer.start()
            try:
                with database_errors(path), database.reader() as reader:
                    context = self._context(database, writer, reader)
                    await self._host(context, errand)
                if self._problem is not None:
                    raise self._problem
            finally:
                writer.close()
                database.dispose()

    def _context(self, database: Database, writer: Writer, reader: Reader) -> Services:
        self._running = Services(
            paths=self._paths,
            config=self._config,
            database=database,
            writer=writer,
            reader=reader,
            environ=shared(os.environ, self._paths.root),
            executor=self._executor,
            reload=self.reload,
            stay=self.stay,
            kick=self._kick,
        )
        return self._running

    async def _host(self, context: Services, errand: frozenset[str] | None) -> None:
        hide_secrets(context)
        context.is_errand = errand is not None
        commands = Commands(context)
        servers = McpServers(EngineToolHost(context, commands), self._paths.root)
        context.turns = self._turns = turns = Turns(context)
        context.supervisor = Supervisor(context, turns, servers)
        self._nudges = Nudges(context)
        self._delays = Delays(context)
        self._finals = Finals(context)
        self._serving = Serving(context)
        self._sweeps = sweeps = Sweeps(context, look_again=self._kick)
        self._notifier = notifier = Notifier(context)
        self._records = records = RunRecords(context)
        health = HealthMonitor(context, commands)
        keeper = RetentionSweep(context)
        self._clock_watch = ClockWatch(context, [health.clock_was_set, keeper.clock_was_set])
        sweeps.every(retention.SWEEP_SECONDS, "retention", keeper.sweep)
        files = FileWatch(context, self._lock, self._give_up)
        sweeps.every(HEARTBEAT_SECONDS, "files", self._at_once(files.look))
        sweeps.at_pace(lambda: health.interval, "health", self._in_time(health.sweep))
        try:
            await context.writer.write(partial(heartbeat.started, clock=self._clock))
            await context.writer.write(lambda tx: tell_limits(tx, context.policy()))
            await servers.ports.start(may_spawn=errand is None)
            await reconcile(context)
            await audit_leases(context)
            context.writer.be_patient()
            commands.recover()
            if errand is not None:
                commands.poll(errand)
                await commands.settle()
                await records.write_due()
                return
            watchdog.came_up(self._paths.root)
            servers.start()
            await notifier.start()
            records.start()
            sweeps.start()
            await self._loop(context, commands)
            await commands.settle()
            if not self._leave_agents:
                await self._pause_all(context, commands)
        finally:
            await sweeps.stop()
            await health.settle()
            context.supervisor.leave()
            await self._serving.settle()
            await context.turns.settle()
            await servers.stop()
            await notifier.stop()
            await records.stop()
            await context.writer.write(heartbeat.stopped)

    def _give_up(self, problem: PerlesError) -> None:
        """End with this problem, once what runs is paused."""
        if self._problem is None:
            log.error("%s", problem)
            self._problem = problem
            self.stop()

    @staticmethod
    def _at_once(look: Callable[[], None]) -> Sweep:
        async def run() -> None:
            look()

        return run

    def _in_time(self, sweep: Sweep) -> Sweep:
        """A sweep that reckons with dates: the clock is looked at before."""

        async def run() -> None:
            await self._clock_watch.look()
            await sweep()

        return run

    async def _loop(self, context: Services, commands: Commands) -> None:
        watch = context.reader.watch(
            context.database.path, settle=SETTLE_SECONDS, quiet=QUIET_SECONDS
        )
        try:
            await self._work(context, commands, watch)
        finally:
            watch.close()

    async def _work(self, context: Services, commands: Commands, watch: Watch) -> None:
        idle_since = time.monotonic() + START_SECONDS
        step_at: float | None = None
        while not self._stopping.is_set():
            await self._clock_watch.look()
            asked = self._changed.is_set()
            if watch.changed() or asked:
                self._changed.clear()
                self._sweeps.attend()
                await self._apart("notifying", self._look_for_news)
                commands.poll()
                # Most commits are what agents print: those alone give nothing to do at once.
                calm_until = time.monotonic() + (0.0 if asked else CALM_SECONDS)
                step_at = calm_until if step_at is None else min(step_at, calm_until)
            if step_at is not None and time.monotonic() >= step_at:
                step_at = None
                await self._step(context, commands)
                step_at = self._next_step()
            await self._apart("reading output", context.turns.read_all)
            if self._exit_when_idle and not _is_idle(context, commands):
                idle_since = time.monotonic() + IDLE_SECONDS
            elif self._exit_when_idle and time.monotonic() > idle_since:
                return
            if self._exit_when_idle or context.turns.any_live():
                await self._wait(_until(step_at, TICK))
            else:
                await self._wait_for_a_write(watch, step_at)

    async def _step(self, context: Services, commands: Commands) -> None:
        """One look at what can be done now. A database that cannot be written is asked again."""
        try:
            await self._apart("nudging", self._nudges.look)
            await self._apart("retrying tasks", self._delays.look)
            await self._apart("ending workflows", self._finals.look)
            await self._apart("looking after services", self._serving.look)
            await self._apart("starting turns", context.turns.deliver)
            await self._apart("retrying coordinators", lambda: self._retry(context))
            await self._apart("offering workers", ResourceScheduler(context).offer_workers)
            await self._apart("offering names", ResourceScheduler(context).offer_names)
            await self._apart("admitting workflows", lambda: self._admit(context, commands))
        except DatabaseError as error:
            log.error("%s", error)
            self._changed.set()

    async def _apart(self, what: str, work: Callable[[], Awaitable[object]]) -> None:
        """Do one part of the engine's work: what it raises stops no other part.

        Raises `DatabaseError`.
        """
        try:
            await work()
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - the bulkhead around all that is left
            self._troubles.tell(what, error)

    def _next_step(self) -> float | None:
        """When the next agent is to be told of posts, or task tried again, as a monotonic time."""
        waits = (self._nudges, self._delays, self._finals)
        left = [one.seconds_left() for one in waits]
        return min((time.monotonic() + one for one in left if one is not None), default=None)

    async def _look_for_news(self) -> None:
        self._notifier.look()
        self._records.look()

    async def _retry(self, context: Services) -> None:
        now = self._clock.now()
        due = to_text(now - timedelta(seconds=RETRY_AFTER))
        failed = {"before": due, "now": to_text(now)}
        if context.reader.row(outcome.FAILED_COORDINATORS, **failed) is not None:
            await context.writer.write(lambda tx: retry_coordinators(tx, due))

    async def _admit(self, context: Services, commands: Commands) -> None:
        """Start workflows that wait for room, in their order, until one must go on waiting."""
        line, passed = ResourceScheduler(context).line()
        # Those that are passed are told what they wait for.
        for workflow in [*passed, *line]:
            async with commands.lane(workflow.id):
                try:
                    result = await context.supervisor.admit(workflow.id)
                except DatabaseError:
                    raise
                except PerlesError as error:
                    log.warning("%s", error)
                    continue
                except Exception as error:  # noqa: BLE001 - the others in the line go on
                    self._troubles.tell(f"admitting {workflow.id}", error)
                    continue
                if result["status"] == "waiting" and workflow in line:
                    return

    async def _wait_for_a_write(self, watch: Watch, until: float | None) -> None:
        """Sleep until the kernel tells that something was written to the database, or `until`.

        A busy engine does not listen: most of what is written then are its own lines.
        """
        loop, fd = asyncio.get_running_loop(), watch.fd

        def hear() -> None:
            watch.hear()
            self._awake.set()

        if fd is not None:
            loop.add_reader(fd, hear)
        try:
            seconds = watch.patience()
            await self._wait(_until(until, seconds))
        finally:
            if fd is not None:
                loop.remove_reader(fd)

    async def _wait(self, seconds: float) -> None:
        try:
            async with asyncio.timeout(seconds):
                await self._awake.wait()
        except TimeoutError:
            pass  # nothing was asked of us; look at the files and the database again
        self._awake.clear()

    async def _pause_all(self, context: Services, commands: Commands) -> None:
        """Leave no agent behind: the workflows go on when somebody resumes them."""

        async def pause(workflow_id: str) -> None:
            async with commands.lane(workflow_id):
                stop = context.supervisor.pause
                why = "the engine was stopped"
                await self._apart(f"pausing {workflow_id}", lambda: stop(workflow_id, reason=why))

        running = context.reader.all(Workflow, statements.RUNNING_WORKFLOWS)
        await asyncio.gather(*(pause(workflow.id) for workflow in running))


def _until(moment: float | None, most: float) -> float:
    """Seconds to a monotonic time, at most so many; `most` for none."""
    return most if moment is None else min(most, max(0.0, moment - time.monotonic()))


def _is_idle(context: Services, commands: Commands) -> bool:
    return not commands.is_busy() and not context.reader.value(statements.HAS_WORK)
