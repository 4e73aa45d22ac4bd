"""Until when a node may have agents: renewed by the engine that leads, in a file of the node.

Time is the machine's own since it was booted, also while it was suspended: whatever the time of
day is set to, a lease ends. Beside the node a guard reads the file: it ends the agents where the
node itself cannot.
"""

import os
from pathlib import Path
from typing import Final, NamedTuple

from perles.domain.clock import since_boot
from perles.executor.local.identity import boot_id
from perles.workspace import door

FILE: Final = "lease"
_WIDTH: Final = 128


class Held(NamedTuple):
    """A lease: of which engine, and until when by `since_boot`; 0 where there was none yet."""

    epoch: int
    until: float


NONE: Final = Held(0, 0.0)


def read(folder: Path) -> Held:
    """What the file of a node tells; of another boot of its machine the epoch alone."""
    try:
        words = door.read_small(folder / FILE).split()
        epoch, until, boot = int(words[0]), float(words[1]), words[2].decode()
    except (OSError, ValueError, IndexError):
        return NONE
    return Held(epoch, until if boot == boot_id() else 0.0)


class Lease:
    """The lease of this node, kept in its file."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / FILE
        self.held = read(folder)

    def is_over(self) -> bool:
        """Whether no agent may live."""
        return self.held.until <= since_boot()

    def renew(self, epoch: int, until: float) -> None:
        """Take an epoch that is no older, and a lease that ends no earlier. Raises `OSError`."""
        new = Held(max(epoch, self.held.epoch), max(until, self.held.until))
        if new == self.held:
            return
        line = f"{new.epoch} {new.until:.3f} {boot_id()}".ljust(_WIDTH) + "\n"
        if not self._path.exists():
            door.write(self._path, line.encode())
        else:
            # One small write in place: a reader sees the one lease or the other.
            held = os.open(self._path, os.O_WRONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
            try:
                os.pwrite(held, line.encode(), 0)
            finally:
                os.close(held)
        self.held = new
