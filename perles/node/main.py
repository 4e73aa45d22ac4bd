"""The node as a process: one a folder, started detached, found again by its lock and its socket."""

import argparse
import asyncio
import logging
import os
import signal
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from perles.domain.clock import since_boot
from perles.domain.duration import span
from perles.domain.node_words import node_folder, this_node
from perles.executor.remote import folders_part, listening_part, records_part, relay_part
from perles.executor.remote.errors import NodeError
from perles.mcp.relay import Relay
from perles.node import guard
from perles.node.joining import Scheduler, follow_engine, keep_worker, worker_environ
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


class _Asked(NamedTuple):
    """What was asked for on the command line."""

    about: About
    scheduler: Scheduler | None


def main(arguments: Sequence[str], say: Callable[[str], None] | None = None) -> int:
    """Run a node until somebody stops it; 0 as well where one runs in this folder.

    `say` is told what its log is told of how it ends.
    """
    about, scheduler = _asked(arguments)
    if any(name in os.environ for name in MARKS):
        # What an agent started would be taken for the agent's.
        environ = {name: value for name, value in os.environ.items() if name not in MARKS}
        os.execve(sys.executable, [sys.executable, "-m", "perles.node", *arguments], environ)  # noqa: S606
    about.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    if guard.hold(about.folder / guard.NODE_LOCK) is None:
        if scheduler is not None:
            # What runs here stays as it is: only the worker is missing.
            os.execve(sys.executable, scheduler.argv(), worker_environ(about.name, about.folder))  # noqa: S606
        return 0
    logging.basicConfig(
        level=logging.INFO,
        format="%(asctime)s %(levelname)s %(name)s: %(message)s",
        filename=about.folder / LOG,
    )

    def tell(text: str) -> None:
        log.info("%s", text)
        if say is not None:
            say(text)

    asyncio.run(_run(about, scheduler, tell))
    return 0


def _asked(arguments: Sequence[str]) -> _Asked:
    parser = argparse.ArgumentParser(prog="python -m perles.node", description=main.__doc__)
    own = this_node(os.environ, os.uname().nodename)
    parser.add_argument("--name", default=own, help="default: the machine's name")
    parser.add_argument("--dir", help="default: PERLES_HOME/nodes/NAME")
    parser.add_argument("--slots", type=int, default=os.cpu_count() or 1, metavar="N")
    parser.add_argument("--label", action="append", default=[], metavar="LABEL")
    parser.add_argument("--join", metavar="ADDRESS", help="a Dask scheduler to be found by")
    for file in ("ca", "certificate", "key"):
        parser.add_argument(f"--{file}", default="", metavar="FILE")
    found = parser.parse_args(arguments)
    folder = Path(os.path.abspath(found.dir or node_folder(os.environ, found.name)))
    scheduler = None
    if found.join:
        scheduler = Scheduler(found.join, found.ca, found.certificate, found.key)
    return _Asked(About(found.name, folder, max(0, found.slots), found.label), scheduler)


async def _run(about: About, scheduler: Scheduler | None, tell: Callable[[str], None]) -> None:
    stop, hurry = _obey_signals()
    service = Service(about)
    service.executor.prepare()
    service.turns.recover()
    start_guard(about.folder)
    relay = Relay(about.folder)
    await relay.start()
    service.parts = {
        relay_part.PART: relay_part.RelayPart(relay),
        records_part.PART: records_part.RecordsPart(service.turns),
        listening_part.PART: listening_part.ListeningPart(),
        folders_part.PART: folders_part.FoldersPart(FarFolders(about.folder)),
    }
    server = await serve(service, about.folder)
    log.info("node %s: pid %s, %s turns", about.name, os.getpid(), len(service.turns))
    watching = [
        asyncio.create_task(service.guard_lease()),
        asyncio.create_task(_keep_guard(about.folder)),
    ]
    following = None
    if scheduler is not None:
        joined = keep_worker(scheduler, about.name, about.folder, tell)
        watching.append(asyncio.create_task(joined))
        where = scheduler.address, about.folder
        following = asyncio.create_task(follow_engine(service.found, *where, tell))
    await asyncio.wait([asyncio.create_task(stop.wait()), *watching], return_when="FIRST_COMPLETED")
    if stop.is_set():
        await _leave(service, hurry, tell)
    failed = [task for task in watching if task.done()]
    for task in watching:
        task.cancel()
    if following is not None:
        following.cancel()
    await asyncio.gather(*watching, return_exceptions=True)  # the worker before what it asks
    server.close()
    await (relay.end() if stop.is_set() else relay.leave())
    service.executor.close()
    for task in failed:
        task.result()


def _obey_signals() -> tuple[asyncio.Event, asyncio.Event]:
    """Set when somebody wants the node to end; and when somebody does not want to wait for it."""
    stop, hurry = asyncio.Event(), asyncio.Event()

    def obey() -> None:
        if stop.is_set():
            hurry.set()
        stop.set()

    numbers = [signal.SIGTERM, signal.SIGINT]
    if signal.getsignal(signal.SIGHUP) is not signal.SIG_IGN:  # else nohup keeps it
        numbers.append(signal.SIGHUP)
    for number in numbers:
        asyncio.get_running_loop().add_signal_handler(number, obey)
    return stop, hurry


async def _leave(service: Service, hurry: asyncio.Event, tell: Callable[[str], None]) -> None:
    """End the agents, then the guard; see that the engine knows."""
    name, count = service.about.name, len(service.turns.live())
    agents = "no agent" if not count else "1 agent" if count == 1 else f"{count} agents"
    tell(f"node {name} ends, with {agents}")
    try:
        is_known = await service.leave(hurry)
    except NodeError as error:
        log.error("%s", error)
        return  # the guard goes on
    guard.dismiss(service.about.folder)
    if not is_known and count:
        left = max(0.0, service.lease.held.until - since_boot())
        tell(
            f"node {name}: the engine does not know yet; it counts the turns as lost "
            f"{span(left)} from now at the earliest"
        )


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
