"""The parts of an engine that runs: made in their order, begun, and ended in another one."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from perles.domain.errors import PerlesError
from perles.engine.commands.queue import Commands
from perles.engine.commands.tool_host import EngineToolHost
from perles.engine.coordination.conductor import Conductor
from perles.engine.health.monitor import HealthMonitor
from perles.engine.loop import Loop, Wake
from perles.engine.services import Services
from perles.engine.steps import Steps
from perles.engine.subscribers.notify import Notifier
from perles.engine.subscribers.run_records import RunRecords
from perles.engine.supervision.supervisor import Supervisor
from perles.engine.sweeps import heartbeat, retention
from perles.engine.sweeps.clock_watch import ClockWatch
from perles.engine.sweeps.file_watch import FileWatch
from perles.engine.sweeps.retention import RetentionSweep
from perles.engine.sweeps.sweeps import HEARTBEAT_SECONDS, Sweep, Sweeps
from perles.engine.turns.runner import Turns
from perles.mcp.server import McpServers
from perles.store.sqlite.engine_lock import EngineLock

if TYPE_CHECKING:
    from perles.engine.fleet.fleet import Fleet
    from perles.engine.fleet.membership import Reach
    from perles.engine.fleet.relays import Relays


class Components:
    """What runs beside each other in one engine. `give_up` is called where it cannot go on."""

    def __init__(
        self,
        context: Services,
        lock: EngineLock,
        wake: Wake,
        give_up: Callable[[PerlesError], None],
        reach: Reach | None,
    ) -> None:
        self._context, self._wake = context, wake
        self.commands = commands = Commands(context)
        host = EngineToolHost(context, commands)
        self.servers = McpServers(host, context.paths.root)
        self._relays = _relays(context, self.servers, host)
        context.conductor = Conductor(context)
        context.turns = Turns(context)
        context.supervisor = Supervisor(context, context.turns, self.servers)
        self.steps = Steps(context, commands)
        self._notifier, self.records = Notifier(context), RunRecords(context)
        self._fleet = _fleet(context, reach)
        self._health = HealthMonitor(context, commands)
        self._sweeps = Sweeps(context, look_again=wake.kick)
        self._clock_watch = self._watch_time(FileWatch(context, lock, give_up))

    def _watch_time(self, files: FileWatch) -> ClockWatch:
        """Set the sweeps up; and what tells users of dates that the clock was set."""
        health, keeper = self._health, RetentionSweep(self._context)
        clock = ClockWatch(self._context, [health.clock_was_set, keeper.clock_was_set])
        self._sweeps.every(retention.SWEEP_SECONDS, "retention", keeper.sweep)
        self._sweeps.every(HEARTBEAT_SECONDS, "files", _at_once(files.look))
        self._sweeps.at_pace(lambda: health.interval, "health", _in_time(clock, health.sweep))
        return clock

    async def start(self) -> None:
        """Begin with all that an engine does beside its loop."""
        self.servers.start()
        if self._fleet is not None:
            self._fleet.start()
        if self._relays is not None:
            self._relays.start()
        await self._notifier.start()
        self.records.start()
        self._sweeps.start()

    async def loop(self, may_end: Callable[[], bool]) -> None:
        """Step whenever something changed, until the engine is to end."""
        await Loop(
            self._context,
            self.commands,
            self.steps,
            self._wake,
            clock_watch=self._clock_watch,
            on_change=self._on_change,
            may_end=may_end,
        ).run()

    def _on_change(self) -> None:
        self._sweeps.attend()
        self._notifier.look()
        self.records.look()

    async def stop(self) -> None:
        """End all of them, those before others that are still of use to these."""
        if self._fleet is not None:
            await self._fleet.stop()
        if self._relays is not None:
            await self._relays.stop()
        await self._sweeps.stop()
        await self._health.settle()
        self._context.supervisor.leave()
        await self.steps.settle()
        await self._context.turns.settle()
        await self.servers.stop()
        await self._notifier.stop()
        await self.records.stop()
        await self._context.writer.write(heartbeat.stopped)


def _fleet(context: Services, reach: Reach | None) -> Fleet | None:
    """What follows the nodes of a cluster; None where all turns are on this machine."""
    if reach is None:
        return None
    from perles.engine.fleet.fleet import Fleet  # what no other engine imports

    return Fleet(context, reach)


def _relays(context: Services, servers: McpServers, host: EngineToolHost) -> Relays | None:
    """What carries agents' calls from other machines; None where all turns are on this one."""
    if not hasattr(context.executor, "asker"):
        return None
    from perles.engine.fleet.connecting import connect

    return connect(context, servers, host)


def _at_once(look: Callable[[], None]) -> Sweep:
    async def run() -> None:
        look()

    return run


def _in_time(clock_watch: ClockWatch, sweep: Sweep) -> Sweep:
    """A sweep that reckons with dates: the clock is looked at before."""

    async def run() -> None:
        await clock_watch.look()
        await sweep()

    return run
