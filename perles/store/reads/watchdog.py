"""What the watchdog of an engine did last, and whether it is about to start its engine again."""

import os
from pathlib import Path
from typing import Final

NAME: Final = "perles-watchdog"
FILE: Final = "engine.watchdog"
PID_FILE: Final = "engine.watchdog.pid"
"""The pid of the watchdog of the engine that came up last."""


def word(home: Path) -> str | None:
    """What the watchdog did last, where no engine came up since; None where there is nothing."""
    return _read(home / FILE)


def pauses(home: Path) -> int | None:
    """The pid of a watchdog that said that it starts its engine again; None where none did."""
    return _live(home, (word(home) or "").rpartition(" by pid ")[2])


def watches(home: Path) -> int | None:
    """The pid of the watchdog that still is there; None where none is.

    Where no engine runs, it is about to start its engine again, or that one ended on purpose
    and it ends in a moment, too.
    """
    return _live(home, _read(home / PID_FILE) or "") or pauses(home)


def _live(home: Path, pid: str) -> int | None:
    may_be = pid.isdecimal() and len(pid) < 10 and is_watchdog(int(pid))
    return int(pid) if may_be and _is_of(int(pid), home) else None


def is_watchdog(pid: int) -> bool:
    """Whether the process with this pid is one."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return words[1:2] == [b"-c"] and words[3:4] == [NAME.encode()]


def _is_of(pid: int, home: Path) -> bool:
    """Whether a process has this home: a pid in a file may be another process's by now."""
    try:
        environ = Path(f"/proc/{pid}/environ").read_bytes()
        named = [word for word in environ.split(b"\0") if word.startswith(b"PERLES_HOME=")]
        # SQLite tells where its file is without the symbolic links that lead there.
        return any(home.samefile(os.fsdecode(word.partition(b"=")[2])) for word in named)
    except OSError:
        return False


def _read(path: Path) -> str | None:
    try:
        with path.open("rb") as file:
            return file.read(300).decode(errors="replace").strip() or None
    except OSError:
        return None
