"""The engine as a process of its own: signals, and errands that end at once."""

import asyncio
import logging
import signal
from collections.abc import Callable
from typing import TYPE_CHECKING

from perles.config.home import Paths
from perles.config.model import Config
from perles.domain.errors import EngineRunsError, PerlesError
from perles.engine.context import log
from perles.engine.engine import Engine
from perles.executor.contract import Executor
from perles.executor.local.executor import LocalExecutor

if TYPE_CHECKING:
    from perles.engine.fleet.membership import Reach


def serve(
    paths: Paths,
    config: Config,
    *,
    exit_when_idle: bool = False,
    load_config: Callable[[], Config] | None = None,
) -> None:
    """Host the engine in this process until a signal or command stops it.

    SIGTERM and SIGINT pause what runs; a second one kills the agents that take their
    time, a third one the engine. SIGUSR1 leaves the agents to the next engine. SIGHUP
    makes it take up what `load_config` gives.
    Raises `EngineRunsError`, `DatabaseError`.
    """
    _log_quietly()

    async def main() -> None:
        executor, reach = _places(config)
        engine = Engine(paths, config, executor=executor, load_config=load_config, reach=reach)
        _obey_signals(engine)
        await engine.run(exit_when_idle=exit_when_idle)

    asyncio.run(main())


def _places(config: Config) -> "tuple[Executor, Reach | None]":
    """Where turns run: on this machine, and on those of a cluster where there is one.

    With it what finds the cluster's nodes.
    """
    if not config.cluster:
        return LocalExecutor(), None
    # Only here, as every engine pays for what it imports.
    from perles.cluster.channel import DaskChannel
    from perles.engine.fleet.hosting import fleet_of

    channel = DaskChannel(config.cluster)
    channel.start()
    return fleet_of(LocalExecutor(), channel, config.cluster), channel


def _obey_signals(engine: Engine) -> None:
    loop = asyncio.get_running_loop()
    asked = 0
    reloads: set[asyncio.Task[None]] = set()

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
        task = asyncio.ensure_future(_reload_quietly(engine))
        reloads.add(task)
        task.add_done_callback(reloads.discard)

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
