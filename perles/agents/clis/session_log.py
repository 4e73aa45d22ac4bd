"""What agent CLIs write down of their sessions: usage call by call, also of a turn that is cut off.

A CLI that tells its usage only at the end of a turn keeps a file of its session, to
which each call is added as it ends. What stands there since the turn began is what
the turn used. The files are the agent's to write: they are opened and read with care,
and never on the event loop.
"""

import json
import os
import stat
import time
from abc import ABC, abstractmethod
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Protocol

from perles.agents.clis.json_lines import decode
from perles.agents.provider import AgentEvent
from perles.domain.patterns import lazy_pattern

PIECE: Final = 4 * 1024 * 1024
"""Bytes read in one look. A line that is longer is passed over."""
MOST_FILES: Final = 20
TAIL: Final = 512 * 1024
"""Bytes before the turn in which a running total is looked for."""
FIND_SECONDS: Final = 2.0
"""How often it is looked for files that are new."""
_ID: Final = lazy_pattern(r"[A-Za-z0-9][A-Za-z0-9_-]{7,199}")


class Taker(Protocol):
    """Adds up what lines of a session file tell."""

    def take(self, line: Mapping[str, Any]) -> None:
        """One line that was written since the turn began."""
        ...

    def event(self) -> AgentEvent | None:
        """What the turn used so far; None where nothing of it is known."""
        ...


class SessionLog(ABC):
    """Where one CLI keeps its sessions, and what their lines mean."""

    marks: tuple[bytes, ...]
    """What a line that is worth reading has one of."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ

    @property
    def home(self) -> Path:
        """The person's home folder."""
        return Path(self._environ.get("HOME") or Path.home())

    @abstractmethod
    def _find(self, session_id: str) -> list[Path]:
        """The files of a session, whose id is safe to be a part of a path."""

    @abstractmethod
    def taker(self, totals: Mapping[str, float]) -> Taker:
        """What adds up a turn; `totals` is the session's before it."""

    def totals(self, _line: Mapping[str, Any]) -> dict[str, float] | None:
        """The session's running total, where a line tells one."""
        return None

    def paths(self, session_id: str) -> list[Path]:
        """The files of a session; [] where there are none."""
        if not _ID.fullmatch(session_id):
            return []
        try:
            return sorted(self._find(session_id))[-MOST_FILES:]
        except OSError:
            return []  # a folder that may not be read: nothing is known

    def base(self, session_id: str | None) -> dict[str, Any]:
        """Where the files of a session end now, and the running total that they tell."""
        files: dict[str, int] = {}
        totals: dict[str, float] | None = None
        for path in self.paths(session_id) if session_id else []:
            lines, end = _tail(path, self.marks)
            files[path.name] = end
            for line in lines:
                totals = self.totals(line) or totals
        return {"session": session_id, "files": files, "totals": totals}


class SessionReader:
    """Reads on what a turn adds to its session's files. Its methods may block: use a thread."""

    def __init__(self, log: SessionLog, base: Mapping[str, Any]) -> None:
        self._log = log
        self._session = base.get("session")
        self._offsets: dict[str, int] = dict(base.get("files") or {})
        self._taker = log.taker(base.get("totals") or {})
        self._paths: list[Path] = []
        self._found_at = -FIND_SECONDS
        self.grown = 0
        """Bytes by which it was seen to grow, those of lines that say nothing of usage as well."""

    def read(self, session_id: str | None, *, again: bool = False) -> AgentEvent | None:
        """What the turn used so far, when there is more than the last time, or `again`."""
        if session_id is None or self._session not in (None, session_id):
            return None  # a session that goes on under another name begins with copies
        self._find(session_id)
        has_grown = False
        for path in self._paths:
            while self._read_on(path):
                has_grown = True
        return self._taker.event() if has_grown or again else None

    def _find(self, session_id: str) -> None:
        now = time.monotonic()
        if now - self._found_at >= FIND_SECONDS:
            self._found_at = now
            self._paths = self._log.paths(session_id)

    def _read_on(self, path: Path) -> bool:
        offset = self._offsets.get(path.name, 0)
        lines, end = _lines(path, offset, self._log.marks)
        for line in lines:
            self._taker.take(line)
        self._offsets[path.name] = end
        self.grown += max(0, end - offset)
        return end > offset


def _lines(path: Path, offset: int, marks: tuple[bytes, ...]) -> tuple[list[dict[str, Any]], int]:
    """The lines from an offset on that are worth it, and the offset behind the last whole one."""
    piece = _read(path, offset)
    end = piece.rfind(b"\n") + 1
    if not end and len(piece) >= PIECE:
        return [], offset + len(piece)
    found = [
        line
        for raw in piece[:end].split(b"\n")
        if any(mark in raw for mark in marks)
        and (line := decode(raw.decode(errors="replace"))) is not None
    ]
    return found, offset + end


def _tail(path: Path, marks: tuple[bytes, ...]) -> tuple[list[dict[str, Any]], int]:
    """The last lines that are worth it, and where the last whole line ends."""
    try:
        size = path.lstat().st_size
    except OSError:
        return [], 0  # it went this moment
    found: list[dict[str, Any]] = []
    offset = max(0, size - TAIL)
    while True:
        lines, end = _lines(path, offset, marks)
        found += lines
        if end == offset:
            return found, end
        offset = end


def _read(path: Path, offset: int) -> bytes:
    """Bytes of a regular file from an offset on; none of anything else."""
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError:
        return b""  # not there yet, or a link: nothing is known by it
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            return b""
        return os.pread(descriptor, PIECE, offset)
    except OSError:
        return b""  # it cannot be read: the CLI's own result tells at the end
    finally:
        os.close(descriptor)


def encoded(base: Mapping[str, Any]) -> str:
    """A base as text, to be kept with its turn."""
    return json.dumps(base, separators=(",", ":"))
