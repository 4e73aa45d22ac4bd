"""Ends the agents of a node whose lease is over, also where the node is stopped, or was killed.

`python -I -S -c … FOLDER`, one a node, held by a lock; it goes when there is neither a node nor
an agent. It only reads: the lease, and the names of the records.
"""

import os
import signal
import sys
import time
from pathlib import Path

from perles.domain.clock import since_boot
from perles.executor.local import processes
from perles.node import lease
from perles.store import lock_file

LOCK = "guard.lock"
NODE_LOCK = "node.lock"
LOOK = 0.5
"""Seconds between two looks at the lease, at most: it is known until when it holds."""
AGAIN = 0.05
"""Seconds between two looks for agents, while the lease is over and some live."""


def main(folder: Path) -> int:
    """Guard until there is nothing to guard."""
    if hold(folder / LOCK) is None:
        return 0  # another one guards
    while True:
        left = lease.read(folder).until - since_boot()
        if left > 0:
            time.sleep(min(left, LOOK))
        elif end_all(folder):
            time.sleep(AGAIN)
        elif not _node_lives(folder):
            return 0  # the next node starts the next guard
        else:
            time.sleep(LOOK)


def turns_of(folder: Path) -> list[str]:
    """The marks of the turns of which there is a record."""
    try:
        names = os.listdir(folder / "turns")
    except OSError:
        return []
    found = [name.split(".") for name in names if name.endswith(".json") and name[0] != "."]
    return [f"PERLES_TURN={parts[0]}/{parts[1]}" for parts in found if len(parts) > 2]


def end_all(folder: Path) -> int:
    """Kill all that any turn started; how many processes there were."""
    markers = turns_of(folder)
    if not markers:
        return 0
    # While it starts an agent, the node itself has the agent's mark.
    return processes.signal_family(signal.SIGKILL, markers, but=pids_in(folder / NODE_LOCK))


def dismiss(folder: Path) -> None:
    """End the guard of a folder where no agent lives. Raises `OSError`."""
    if is_held(folder / LOCK):
        for pid in pids_in(folder / LOCK):
            os.kill(pid, signal.SIGTERM)


def hold(lock: Path) -> int | None:
    """Hold a lock, whose file tells our pid; None where another process does. Raises `OSError`."""
    held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    if not lock_file.lock(held):
        os.close(held)
        return None
    os.ftruncate(held, 0)
    os.pwrite(held, f"{os.getpid()}\n".encode(), 0)
    return held


def is_held(lock: Path) -> bool:
    """Whether somebody holds a lock. Raises `OSError` where that cannot be seen."""
    held = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        return lock_file.is_locked(held)
    finally:
        os.close(held)


def pids_in(lock: Path) -> list[int]:
    """Who holds a lock, as its file tells."""
    try:
        return [int(lock.read_text())]
    except (OSError, ValueError):
        return []


def _node_lives(folder: Path) -> bool:
    try:
        return is_held(folder / NODE_LOCK)
    except OSError:
        return False


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1])))
