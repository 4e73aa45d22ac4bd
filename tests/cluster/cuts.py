"""Turns on a node behind a bad network: `python -m tests.cluster.cuts CUTS SEED`.

Each turn prints numbered lines, some to its errors, and adds a line to a file of its own for each:
whatever is cut when, the engine has each line once and in order, each turn ran once, and no moment
is seen with two processes of one turn.
"""

import asyncio
import os
import sys
import tempfile
import threading
import time
from collections import Counter
from pathlib import Path
from typing import Final, NamedTuple

from perles.agents.provider import Launch
from perles.executor.contract import TurnFiles, TurnKey
from perles.executor.local.processes import with_variable
from perles.executor.remote.channel import SOCKET, SocketChannel
from perles.executor.remote.executor import RemoteExecutor
from perles.executor.remote.link import Law
from perles.executor.remote.links import Links
from perles.executor.remote.process import RemoteProcess
from tests.cluster.proxy import Proxy
from tests.integration.nodes import start_node, stop_nodes

WORKFLOW: Final = f"wf-{os.getpid():08x}"
AT_ONCE: Final = 6
LINES: Final = 40
SAMPLE: Final = 0.02
PATIENCE: Final = 300.0
SCRIPT: Final = (
    'echo $$ >> "$MADE"; i=0; while [ $i -lt $LINES ]; do echo "line $i"; echo "bad $i" >&2; '
    "i=$((i + 1)); sleep 0.02; done; exit 7"
)


class Told(NamedTuple):
    """What came of it."""

    turns: int
    cuts: int
    doubled: int
    """Moments at which a turn was seen to have two leaders."""


class Sampler(threading.Thread):
    """Looks for two launchers of one turn, all the time."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.over, self.doubled = threading.Event(), 0

    def run(self) -> None:
        """Look until it is over."""
        while not self.over.wait(SAMPLE):
            leaders = Counter(
                value for pid, value in with_variable("PERLES_TURN") if _leads(pid, value)
            )
            self.doubled += sum(1 for count in leaders.values() if count > 1)


def _leads(pid: int, value: bytes) -> bool:
    """Whether this is the launcher of a turn of ours: it leads a session."""
    if not value.startswith(WORKFLOW.encode()):
        return False
    try:
        return int(Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2].split()[3]) == pid
    except OSError:
        return False


async def run(cuts: int, seed: int, folder: Path) -> Told:
    """Run turns until so many connections were cut. Raises `AssertionError`."""
    start_node(folder / "node")
    proxy = Proxy(folder / "node" / SOCKET, seed)
    await proxy.start()
    channel = SocketChannel({"box": folder / "node"}, {"box": proxy.port})
    links = Links(channel, Law(epoch=1, ttl=20.0))
    executor, sampler, turns = RemoteExecutor(links, "box"), Sampler(), 0
    sampler.start()
    try:
        async with asyncio.timeout(PATIENCE + cuts):
            while proxy.cuts < cuts:
                numbers = range(turns + 1, turns + 1 + AT_ONCE)
                await asyncio.gather(*(_turn(executor, folder, one) for one in numbers))
                turns += AT_ONCE
    finally:
        sampler.over.set()
        await asyncio.to_thread(sampler.join)
        await asyncio.to_thread(executor.close)
        await proxy.stop()
    return Told(turns, proxy.cuts, sampler.doubled)


async def _turn(executor: RemoteExecutor, folder: Path, number: int) -> None:
    """One turn from its start to its end, with all that it printed."""
    agent, made = folder / "session" / f"agent-{number}", folder / f"made-{number}"
    agent.mkdir(parents=True)
    files = TurnFiles.at(agent / "turn-001.stdout.jsonl")
    key = TurnKey(WORKFLOW, number)
    process: RemoteProcess = executor.process(key, files, None, text_only=True)
    env = {
        "PERLES_WORKFLOW": WORKFLOW,
        "PERLES_TURN": f"{WORKFLOW}/{number}",
        "PATH": "/usr/bin:/bin",
        "MADE": str(made),
        "LINES": str(LINES),
    }
    await process.start(Launch(argv=["/bin/sh", "-c", SCRIPT]), cwd=folder, env=env)
    ended = asyncio.Event()
    process.when_ended(ended.set)
    await ended.wait()
    numbers = range(LINES)
    assert files.stdout.read_text() == "".join(f"line {one}\n" for one in numbers), number
    assert files.stderr.read_text() == "".join(f"bad {one}\n" for one in numbers), number
    assert process.status() == 7, process.status()
    assert len(made.read_text().splitlines()) == 1, "it ran twice"
    process.close()


def main() -> None:
    """Run it by hand, and tell what came of it."""
    cuts, seed = int(sys.argv[1]), int(sys.argv[2])
    begun = time.monotonic()
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        try:
            told = asyncio.run(run(cuts, seed, folder))
        finally:
            stop_nodes(folder)
    assert told.doubled == 0, told
    print(f"{told}: nothing lost, nothing doubled, in {time.monotonic() - begun:.0f} s")


if __name__ == "__main__":
    main()
