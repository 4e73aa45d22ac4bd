"""Where a turn's output is read from, also when somebody meddles with its file.

The file may be deleted or replaced while the process writes on, to a file that
has no name any more. So it is held open from the first look on; one that was
replaced before that, while no engine ran, is found through the process. It may
be cut: what is printed afterwards is read from its beginning.
"""

import logging
import os
from pathlib import Path

from perles.agents.provider import AgentEvent, Kind, Parser
from perles.executor.contract import Batch, Identity
from perles.executor.local.identity import is_alive
from perles.executor.local.output import read_batch, replay
from perles.workspace import door

log = logging.getLogger("perles.executor")


class Source:
    """The output file of one turn."""

    def __init__(self, path: Path, *, text_only: bool) -> None:
        self._path = path
        self._text_only = text_only
        self._inode: tuple[int, int] | None = None
        self._held: int | None = None
        self._closed = False
        self._told = False

    def size(self, identity: Identity | None) -> int:
        """How large it is now; 0 where there is none."""
        try:
            self._hold(identity)
            if self._held is not None:
                return os.fstat(self._held).st_size
            return door.size_of(self._path)
        except OSError:
            return 0  # gone, and the process with it

    def read(self, offset: int, parser: Parser, identity: Identity | None, *, ended: bool) -> Batch:
        """Read on from `offset`."""
        cut = self.size(identity) < offset
        start = 0 if cut else offset
        path = self._path_now()
        batch = read_batch(
            path, start, parser, ended=ended, text_only=self._text_only, held=self._held
        )
        if not cut:
            return batch
        note = AgentEvent(
            Kind.TEXT, f"[{self._path} was cut from outside at byte {offset} or before]"
        )
        return Batch([note, *batch.events], batch.offset, batch.at_end)

    def piece(self, offset: int, most: int, identity: Identity | None) -> bytes:
        """The bytes from `offset` on, bounded in number, as they stand there. Raises `OSError`."""
        self._hold(identity)
        if most <= 0:
            return b""
        if self._held is not None:
            return os.pread(self._held, most, offset)
        try:
            with door.reading(self._path_now(), foreign=True) as file:
                return os.pread(file.fileno(), most, offset)
        except FileNotFoundError:
            return b""

    def replay(self, offset: int, parser: Parser, identity: Identity | None) -> None:
        """Tell a fresh parser what stands before `offset`."""
        self._hold(identity)
        replay(self._path_now(), offset, parser)

    def close(self) -> None:
        """Let go of the file, for good: asking for its size later does not hold it again."""
        self._closed = True
        if self._held is not None:
            os.close(self._held)
            self._held = None

    def _hold(self, identity: Identity | None) -> None:
        """Hold the file that the process writes to, once it is known."""
        if self._held is not None or self._closed:
            return
        inode = _inode(door.look_at(self._path))
        if self._inode is None:
            self._inode = _inode_of(identity) or inode
        is_same = inode is not None and inode == self._inode
        self._held = self._open(self._path if is_same else _output_of(identity))

    def _path_now(self) -> Path:
        """The path as long as it leads to the same file; else the file that it led to."""
        inode = _inode(door.look_at(self._path))
        if inode is not None and inode == self._inode:
            return self._path
        self._tell_of_stranger()
        if self._held is not None:
            return Path(f"/proc/self/fd/{self._held}")
        # What stands there now is a stranger's; what was printed last is lost with its file.
        return self._path if inode is None else Path(os.devnull)

    def _tell_of_stranger(self) -> None:
        if not self._told and os.path.lexists(self._path):
            self._told = True
            log.warning("%s was replaced: what stands there now is not read", self._path)

    def _open(self, path: Path | None) -> int | None:
        """Hold the turn's file, where `path` still leads to it."""
        if path is None:
            return None
        try:
            held = door.open_to_read(path, foreign=path != self._path)
        except OSError:
            return None  # it was moved at this moment, or too many files are open
        found = os.fstat(held)
        if (found.st_dev, found.st_ino) == self._inode:
            return held
        os.close(held)
        return None


def _output_of(identity: Identity | None) -> Path | None:
    """Where the process's output is found without its name; None where it is gone."""
    if identity is None or not is_alive(identity):
        return None
    return Path(f"/proc/{identity.pid}/fd/1")


def _inode_of(identity: Identity | None) -> tuple[int, int] | None:
    """Which file the process writes to, as far as it lives and tells."""
    path = _output_of(identity)
    try:
        return None if path is None else _inode(path.stat())
    except OSError:
        return None  # it has ended, or closed its output


def _inode(found: os.stat_result | None) -> tuple[int, int] | None:
    return None if found is None else (found.st_dev, found.st_ino)
