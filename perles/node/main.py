"""The node as a process: one a folder, started detached, found again by its lock and its socket."""

import argparse
import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from perles.config.home import home
from perles.executor.remote import folders_part, relay_part
from perles.mcp.relay import Relay
from perles.node import guard
from perles.node.server import serve
from perles.node.service import About, Service
from perles.workspace.replica.far import FarFolders

log = logging.getLogger("perles.node")

LOG: Final = "node.log"
MARKS: Final = ("PERLES_TURN", "PERLES_WORKFLOW", "PERLES_AGENT")
GUARD_LOOK: Final = 5.0
"""Seconds between two looks whether the guard lives."""
_GUARD: Final = (
    "import sys; from pathlib import Path; sys.path.insert(0, sys.argv[2]); "
    "from perles.node.guard import main; sys.exit(main(Path(sys.argv[1])))"
)


def main(arguments: Sequence[str]) -> int:
    """Run a node until it is told to stop; 0 as well where one runs in this folder."""
    about = _asked(arguments)
    if any(name in os.environ for name in MARKS):
        # What an agent started would be taken for the agent's.
        environ = {name: value for name, value in os.environ.items() if name not in MARKS}
        os.execve(sys.executable, [sys.executable, "-m", "perles.node", *arguments], environ)  # noqa: S606
    about.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if guard.hold(about.folder / guard.NODE_LOCK) is None:
        return 0
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        filename=about.folder / LOG,
    )
    asyncio.run(_run(about))
    return 0


def _asked(arguments: Sequence[str]) -> About:
    parser = argparse.ArgumentParser(prog="python -m perles.node", description=main.__doc__)
    parser.add_argument("--name", default=os.uname().nodename, help="default: the machine's name")
    parser.add_argument("--dir", type=Path, help="default: PERLES_HOME/nodes/NAME")
    parser.add_argument("--slots", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--label", action="append", default=[], metavar="LABEL")
    found = parser.parse_args(arguments)
    folder = found.dir or home(os.environ) / "nodes" / found.name
    return About(found.name, Path(os.path.abspath(folder)), max(0, found.slots), found.label)


async def _run(about: About) -> None:
    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stop.set)
    service = Service(about)
    service.executor.prepare()
    service.turns.recover()
    start_guard(about.folder)
    relay = Relay(about.folder)
    await relay.start()
    service.parts = {
        relay_part.PART: relay_part.RelayPart(relay),
        folders_part.PART: folders_part.FoldersPart(FarFolders(about.folder)),
    }
    server = await serve(service, about.folder)
    log.info("node %s: pid %s, %s turns", about.name, os.getpid(), len(service.turns))
    watching = [
        asyncio.create_task(service.guard_lease()),
        asyncio.create_task(_keep_guard(about.folder)),
    ]
    await asyncio.wait([asyncio.create_task(stop.wait()), *watching], return_when="FIRST_COMPLETED")
    server.close()
    for task in watching:
        if task.done():
            task.result()
        task.cancel()
    await relay.leave()
    service.executor.close()


async def _keep_guard(folder: Path) -> None:
    while True:
        await asyncio.sleep(GUARD_LOOK)
        start_guard(folder)


def start_guard(folder: Path) -> None:
    """See that a guard lives. Raises `OSError`."""
    if guard.is_held(folder / guard.LOCK):
        return
    root = Path(__file__).parents[2]
    child = subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _GUARD, str(folder), str(root)],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
        cwd="/",
    )
    child.returncode = 0  # it outlives us, and tells by its lock that it lives
