"""Where a turn's output is read from, also when somebody meddles with its file.

The file may be deleted or replaced while the process writes on, to a file that
has no name any more: it is read through the process then. It may be cut: what
is printed afterwards is read from its beginning.
"""

import os
from pathlib import Path

from perles.agents.output import Batch, read_batch
from perles.agents.process import Identity, is_alive
from perles.agents.provider import AgentEvent, Kind, Parser


class Source:
    """The output file of one turn."""

    def __init__(self, path: Path, *, text_only: bool) -> None:
        self._path = path
        self._text_only = text_only
        self._inode: tuple[int, int] | None = None
        self._rescued: int | None = None

    def size(self, identity: Identity | None) -> int:
        """How large it is now; 0 where there is none."""
        try:
            return self._find(identity).stat().st_size
        except OSError:
            return 0  # gone, and the process with it

    def read(self, offset: int, parser: Parser, identity: Identity | None, *, ended: bool) -> Batch:
        """Read on from `offset`."""
        path = self._find(identity)
        cut = self.size(identity) < offset
        start = 0 if cut else offset
        batch = read_batch(path, start, parser, ended=ended, text_only=self._text_only)
        if not cut:
            return batch
        note = AgentEvent(
            Kind.TEXT, f"[{self._path} was cut from outside at byte {offset} or before]"
        )
        return Batch([note, *batch.events], batch.offset, batch.at_end)

    def close(self) -> None:
        """Let go of a file that has no name any more."""
        if self._rescued is not None:
            os.close(self._rescued)
            self._rescued = None

    def _find(self, identity: Identity | None) -> Path:
        """The path as long as it leads to the same file; else the file that it led to."""
        if self._rescued is not None:
            return Path(f"/proc/self/fd/{self._rescued}")
        try:
            found = self._path.stat()
            inode = (found.st_dev, found.st_ino)
        except OSError:
            inode = None  # deleted, or in a folder that was
        if self._inode is None:
            self._inode = _inode_of(identity) or inode
        if inode is not None and inode == self._inode:
            return self._path
        if identity is not None and is_alive(identity):
            try:
                self._rescued = os.open(f"/proc/{identity.pid}/fd/1", os.O_RDONLY)
            except OSError:
                return self._path  # it ended at this moment
            return Path(f"/proc/self/fd/{self._rescued}")
        # What stands there now is a stranger's; what was printed last is lost with its file.
        return self._path if inode is None else Path(os.devnull)


def _inode_of(identity: Identity | None) -> tuple[int, int] | None:
    """Which file the process writes to, as far as it lives and tells."""
    if identity is None or not is_alive(identity):
        return None
    try:
        found = Path(f"/proc/{identity.pid}/fd/1").stat()
    except OSError:
        return None  # it closed its output, or ended at this moment
    return (found.st_dev, found.st_ino)
