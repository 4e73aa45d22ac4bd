"""An engine as a process, whose nodes are on this machine and reached by their sockets.

`python -m tests.integration.node_engine NAME=FOLDER…`, with the home in the environment.
"""

import asyncio
import logging
import sys
from pathlib import Path

from perles.cluster.channel import Found
from perles.cluster.connection import Worker
from perles.controlplane.plane import ControlPlane
from perles.engine.engine import Engine
from perles.engine.process import _obey_signals
from perles.executor.fleet import FleetExecutor
from perles.executor.local.executor import LocalExecutor
from perles.executor.remote.channel import SocketChannel
from perles.executor.remote.link import Law
from perles.executor.remote.links import Links
from perles.store import migrate


class SocketReach(SocketChannel):
    """Nodes by their sockets: all of them are always there to be asked."""

    problem = ""

    def __init__(self, folders: dict[str, Path]) -> None:
        super().__init__(folders)
        self._folders = folders

    async def look(self) -> list[Found]:
        """Each node, as if a worker had found it."""
        return [
            Found(name, (Worker("tcp://x", name),), {"host": name, "folder": str(folder)})
            for name, folder in self._folders.items()
        ]


def main() -> None:
    """Run until a signal."""
    logging.basicConfig(level=logging.WARNING)
    logging.getLogger("perles").setLevel(logging.INFO)
    words = (word.partition("=") for word in sys.argv[1:])
    folders = {name: Path(folder) for name, _, folder in words}
    plane = ControlPlane()
    plane.paths.ensure_home()
    config = plane.engine_config()
    migrate.ensure(plane.paths.database_path())

    async def run() -> None:
        reach = SocketReach(folders)
        cluster = config.cluster
        law = Law(epoch=0, ttl=cluster.node_ttl, repeats=cluster.on_partition == "repeat")
        executor = FleetExecutor(LocalExecutor(), Links(SocketChannel(folders), law))
        engine = Engine(plane.paths, config, executor=executor, reach=reach)
        _obey_signals(engine)
        await engine.run()

    asyncio.run(run())


if __name__ == "__main__":
    main()
