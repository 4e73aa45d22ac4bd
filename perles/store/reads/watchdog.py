"""What the watchdog of an engine did last, and whether it is about to start its engine again."""

from pathlib import Path
from typing import Final

NAME: Final = "perles-watchdog"
FILE: Final = "engine.watchdog"


def word(home: Path) -> str | None:
    """What the watchdog did last, where no engine came up since; None where there is nothing."""
    try:
        with (home / FILE).open("rb") as file:
            return file.read(300).decode(errors="replace").strip() or None
    except OSError:
        return None


def pauses(home: Path) -> int | None:
    """The pid of a watchdog that is about to start its engine again; None where none is."""
    pid = (word(home) or "").rpartition(" by pid ")[2]
    return int(pid) if pid.isdecimal() and len(pid) < 10 and is_watchdog(int(pid)) else None


def is_watchdog(pid: int) -> bool:
    """Whether the process with this pid is one."""
    try:
        words = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
    except OSError:
        return False
    return words[1:2] == [b"-c"] and words[3:4] == [NAME.encode()]
