"""Nodes of tests: real processes, each in a folder of its own, on this machine."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

from perles.executor.remote.channel import SocketChannel, ask_socket
from perles.executor.remote.executor import RemoteExecutor
from perles.executor.remote.link import Law
from perles.executor.remote.links import Links
from perles.executor.remote.messages import Greeting, Hello
from perles.executor.remote.protocol import Call, decode_answer, encode
from perles.node.guard import pids_in
from tests.integration.cli import DEADLINE

PATIENCE = DEADLINE


def start_node(folder: Path, name: str = "box") -> Greeting:
    """A node in this folder, or the one that lives there, once it answers."""
    if (lives := hello(folder)) is not None:
        return lives
    subprocess.Popen(
        [sys.executable, "-m", "perles.node", "--dir", str(folder), "--name", name],
        start_new_session=True,
        stdin=subprocess.DEVNULL,
        cwd=Path(__file__).parents[2],
    ).returncode = 0
    deadline = time.monotonic() + PATIENCE
    while (found := hello(folder)) is None:
        assert time.monotonic() < deadline, "the node never came up"
        time.sleep(0.02)
    return found


def hello(folder: Path) -> Greeting | None:
    """What the node in this folder tells of itself; None where none answers."""
    try:
        data = ask_socket(str(folder), encode(Call(epoch=0, request=Hello())), PATIENCE)
    except OSError:
        return None
    found = decode_answer(data)
    assert isinstance(found, Greeting)
    return found


def on_a_node(folder: Path) -> RemoteExecutor:
    """An executor whose turns run on a node, which is started where it does not live."""
    start_node(folder / "node")
    channel = SocketChannel({"box": folder / "node"})
    links = Links(channel, Law(epoch=1))
    links.of("box")
    return RemoteExecutor(links, "box")


def stop_nodes(folder: Path) -> None:
    """End the nodes below a folder, and what guards them."""
    for lock in folder.glob("**/node.lock"):
        # A guard that is only just coming up finds no turn that another test may have, too.
        for record in (lock.parent / "turns").glob("*.json"):
            record.unlink()
        for pid in (*pids_in(lock), *pids_in(lock.with_name("guard.lock"))):
            if str(lock.parent).encode() in command_line(pid):
                os.kill(pid, signal.SIGKILL)


def command_line(pid: int) -> bytes:
    """What a process was started with; nothing where there is none."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""
