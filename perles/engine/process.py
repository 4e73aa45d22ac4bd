"""The engine as a process of its own: signals, and errands that end at once."""

import asyncio
import logging
import signal
from collections.abc import Callable
from importlib import import_module
from typing import TYPE_CHECKING, Final, NamedTuple

from perles.config.cluster import Cluster
from perles.config.home import Paths
from perles.config.model import Config
from perles.domain.errors import EngineRunsError, PerlesError
from perles.engine.context import log
from perles.engine.engine import Engine
from perles.executor.background import Background
from perles.executor.contract import Executor
from perles.executor.local.executor import LocalExecutor

if TYPE_CHECKING:
    from perles.engine.fleet.membership import Reach

_LATE: Final = ("apscheduler.executors.asyncio", "ctypes")
"""What libraries import only when an engine begins its work."""
_LATE_OF_CLUSTER: Final = ("perles.engine.fleet.fleet", "perles.engine.fleet.connecting")
"""What only an engine with a cluster imports."""


class Places(NamedTuple):
    """Where an engine with this configuration of a cluster runs turns, and what finds its nodes."""

    cluster: Cluster
    executor: Executor
    reach: "Reach | None"


def serve(
    paths: Paths,
    config: Config,
    *,
    exit_when_idle: bool = False,
    load_config: Callable[[], Config] | None = None,
    places: Places | None = None,
) -> None:
    """Host the engine in this process until a signal or command stops it.

    `places` is what `stand_ready` gave.

    SIGTERM and SIGINT pause what runs; a second one kills the agents that take their
    time, a third one the engine. SIGUSR1 leaves the agents to the next engine. SIGHUP
    makes it take up what `load_config` gives.
    Raises `EngineRunsError`, `DatabaseError`.
    """
    _log_quietly()

    async def main() -> None:
        _, executor, reach = places or _places(config)
        engine = Engine(paths, config, executor=executor, load_config=load_config, reach=reach)
        _obey_signals(engine)
        await engine.run(exit_when_idle=exit_when_idle)

    asyncio.run(main())


def stand_ready(config: Config, before: Places | None = None) -> Places | None:
    """Do all that an engine can do before it leads, so that it takes over at once.

    What it imports is imported, and a cluster that is there already is connected to. `before` is
    what this gave the last time: it is used again, or let go of where the configuration changed.
    """
    for name in (*_LATE, *(_LATE_OF_CLUSTER if config.cluster else ())):
        import_module(name)
    if before is not None and before.cluster == config.cluster:
        return before
    if before is not None:
        before.executor.close()
    # One that Perles starts by itself is started by the engine that leads, and by no other.
    return _places(config) if config.cluster.scheduler else None


def _places(config: Config) -> Places:
    """Where turns run: on this machine, and on those of a cluster where there is one."""
    if not config.cluster:
        return Places(config.cluster, LocalExecutor(), None)
    # Only here, as every engine pays for what it imports.
    from perles.cluster.channel import DaskChannel
    from perles.engine.fleet.hosting import fleet_of

    channel = DaskChannel(config.cluster)
    channel.start()
    executor = fleet_of(LocalExecutor(), channel, config.cluster)
    return Places(config.cluster, executor, channel)


def _obey_signals(engine: Engine) -> None:
    loop = asyncio.get_running_loop()
    asked = 0
    reloads = Background()

    def stop() -> None:
        nonlocal asked
        asked += 1
        if asked == 1:
            engine.stop()
            return
        engine.hurry()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.remove_signal_handler(number)
            signal.signal(number, signal.SIG_DFL)

    def hang_up() -> None:
        reloads.start(_reload_quietly(engine))

    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop)
    loop.add_signal_handler(signal.SIGUSR1, lambda: engine.stop(leave_agents=True))
    loop.add_signal_handler(signal.SIGHUP, hang_up)


async def _reload_quietly(engine: Engine) -> None:
    try:
        await engine.reload()
    except PerlesError as error:
        log.debug("reload: %s", error)  # told in the log already, where it was met


def run_errand(paths: Paths, config: Config, kinds: frozenset[str]) -> None:
    """Carry out the queued commands of these kinds, as an engine that starts no agent, and end.

    When another engine comes up at this moment, it carries them out instead.
    """
    try:
        asyncio.run(Engine(paths, config, executor=LocalExecutor()).run(errand=kinds))
    except EngineRunsError:
        log.info("another engine came up; it takes the commands")


def _log_quietly() -> None:
    """Our own log at INFO to standard error; libraries only when something is wrong."""
    logging.basicConfig(
        level=logging.WARNING, format="%(asctime)s %(levelname)s %(name)s: %(message)s"
    )
    logging.getLogger("perles").setLevel(logging.INFO)
