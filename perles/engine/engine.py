"""The engine: holds the lock, and hosts everything that changes running workflows."""

import asyncio
import os
from collections.abc import Callable
from typing import TYPE_CHECKING

from perles.config.home import Paths
from perles.config.model import Config
from perles.domain.clock import Clock, SystemClock
from perles.domain.errors import LostLeadError, PerlesError
from perles.engine import single_instance, watchdog
from perles.engine.components import Components
from perles.engine.context import Reloaded, log
from perles.engine.fleet import cluster_status
from perles.engine.fleet.lead_epoch import lead
from perles.engine.loop import Wake
from perles.engine.recovery.reconcile import reconcile
from perles.engine.reload import hide_secrets, reload, tell_limits
from perles.engine.resources.audit import audit_leases
from perles.engine.services import Services
from perles.engine.sweeps import heartbeat
from perles.engine.turns.runner import Turns
from perles.executor.contract import Executor
from perles.store import leadership, migrate
from perles.store.database import Database
from perles.store.place import address_of, engine_lock
from perles.store.reader import Reader
from perles.store.sqlite.errors import database_errors
from perles.store.sqlite.filesystem import refuse_network
from perles.store.transaction import Tx
from perles.store.writer import Writer
from perles.workspace.creator_environment import shared

if TYPE_CHECKING:
    from perles.engine.fleet.membership import Reach


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
        reach: "Reach | None" = None,
    ) -> None:
        """`reach` finds the nodes of a cluster, on which `executor` then has to start turns."""
        self._paths = paths
        self._executor, self._reach = executor, reach
        self._config = config
        self._load_config = load_config or (lambda: config)
        self._running: Services | None = None
        self._clock = clock or SystemClock()
        self._wake = Wake()
        self._leave_agents = False
        self._exit_when_idle = False
        self._lock = engine_lock(paths.database_path())
        self._problem: PerlesError | None = None
        self._writer: Writer | None = None
        self._turns: Turns | None = None

    async def reload(self) -> Reloaded:
        """Take up the configuration as it stands now. Raises `UsageError`."""
        assert self._running is not None
        return await reload(self._running, self._load_config)

    def stop(self, *, leave_agents: bool = False) -> None:
        """Ask the engine to end. Running workflows are paused, or left to the next engine."""
        if self._writer is not None:
            self._writer.be_impatient()
        self._leave_agents = leave_agents
        self._wake.stopping.set()
        self._wake.kick()

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
        no agent, and leaves living ones to the next engine.
        """
        self._exit_when_idle = exit_when_idle
        path = self._paths.database_path()
        self._paths.refuse_shared()
        on_server = address_of(path) is not None
        if not on_server:
            refuse_network(path)
        self._executor.prepare()
        with self._lock:
            if not on_server:  # there the epoch decides
                single_instance.refuse_second(path)
            migrate.ensure(path, self._lock)
            database = Database(path, self._clock)
            leadership.take(database)
            self._writer = writer = Writer(database, self._lost_lead(asyncio.get_running_loop()))
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
                self._executor.close()

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
            kick=self._wake.kick,
        )
        return self._running

    async def _host(self, context: Services, errand: frozenset[str] | None) -> None:
        hide_secrets(context)
        context.is_errand = errand is not None
        components = Components(context, self._lock, self._wake, self._give_up, self._reach)
        self._turns = context.turns
        try:
            await context.writer.write(self._started)
            lead(context)
            if not await self._has_come_home(context, errand):
                return
            await context.writer.write(lambda tx: tell_limits(tx, context.policy()))
            await components.servers.ports.start(may_spawn=errand is None)
            await reconcile(context)
            await audit_leases(context)
            context.writer.be_patient()
            components.commands.recover()
            if errand is not None:
                for _ in range(2):  # what ends workflows leaves commands that they now refuse
                    components.commands.poll(errand)
                    await components.commands.settle()
                await components.records.write_due()
                return
            watchdog.came_up(self._paths.root)
            await components.start()
            await components.loop(may_end=lambda: self._exit_when_idle)
            await components.commands.settle()
            if not self._leave_agents:
                await components.steps.pause_all()
        finally:
            await components.stop()

    def _started(self, tx: Tx) -> None:
        """This engine is the one of its database from now on."""
        heartbeat.started(tx, self._clock)
        if self._reach is not None:
            cluster_status.began(tx, self._config.cluster)

    async def _has_come_home(self, context: Services, errand: frozenset[str] | None) -> bool:
        """See that nothing is left of a cluster that the configuration had.

        False where the engine is to end meanwhile.
        """
        if errand is not None or self._config.cluster or self._reach is not None:
            return True
        link = cluster_status.link_of(context.reader)
        if link is None:
            return True
        from perles.engine.fleet import homecoming

        if not await homecoming.wait(context, link, self._wake.stopping):
            return False
        await context.writer.write(homecoming.over)
        return True

    def _lost_lead(self, loop: asyncio.AbstractEventLoop) -> Callable[[LostLeadError], None]:
        """What the writer calls: this engine ends, and leaves all to the one that leads."""

        def end(error: LostLeadError) -> None:
            if self._problem is None:
                self._problem = error
                self.stop(leave_agents=True)

        def tell(error: LostLeadError) -> None:
            loop.call_soon_threadsafe(end, error)

        return tell

    def _give_up(self, problem: PerlesError) -> None:
        """End with this problem, once what runs is paused."""
        if self._problem is None:
            log.error("%s", problem)
            self._problem = problem
            self.stop()
