"""The watchdog of an engine that runs on its own: starts it again when it was killed.

A shell, since it lives as long as the engine and does next to nothing. The engine tells it by
signals that it has come up, and that it shall stay when idle. What it did stands in the engine's
log, and in a file that `perles engine status` and `perles doctor` read.
"""

import contextlib
import os
import signal
from collections.abc import Sequence
from pathlib import Path
from typing import Final

from perles.store.reads.watchdog import FILE, NAME, PID_FILE, is_watchdog, pauses, watches, word

__all__ = [
    "FILE",
    "NAME",
    "came_up",
    "command",
    "end",
    "of_engine",
    "own",
    "pauses",
    "stays",
    "watches",
    "word",
]

_PID: Final = "PERLES_WATCHDOG"

# An engine that ends by itself, or was told to, ends its watchdog: 0, our own exit codes but
# that of an internal error, and what a second Ctrl-C or TERM gives. So does one that never came
# up. A trap is run when the engine has ended, and leaves $? alone.
_SCRIPT: Final = r"""
idle=$1; shift
up=
trap 'up=1' USR1
trap 'idle=' USR2
file="$PERLES_HOME/engine.watchdog"
tell() {
  printf '%s\n' "$1" > "$file"
  printf '%s WARNING perles.watchdog: %s\n' "$(date '+%Y-%m-%d %H:%M:%S')" "$1" >&2
}
a=-99 b=-99 c=-99 d=-99 e=-99
while :; do
  up=
  PERLES_WATCHDOG=$$ "$@" $idle
  code=$?
  case $code in 0|2|3|4|5|6|7|130|143) exit "$code";; esac
  [ "$up" ] || exit "$code"
  read -r now rest < /proc/uptime
  now=${now%%.*} n=0
  for t in $a $b $c $d $e; do [ $((now - t)) -ge 60 ] || n=$((n + 1)); done
  how="exit status $code"
  [ "$code" -le 128 ] || how="killed by signal $((code - 128))"
  if [ "$n" -ge 5 ]; then
    tell "the engine died 6 times within a minute ($how), and is not started again"
    exit "$code"
  fi
  case $n in 0) pause=0.2;; 1) pause=1;; 2) pause=2;; 3) pause=4;; *) pause=8;; esac
  tell "the engine died ($how), and is started again in $pause s by pid $$"
  sleep $pause
  a=$b b=$c c=$d d=$e e=$now
done
"""


def command(engine: Sequence[str], *, idle: str) -> list[str]:
    """The command line that runs an engine and watches it; `idle` is its flag, or empty.

    `PERLES_HOME` must be in the environment.
    """
    return ["/bin/sh", "-c", _SCRIPT, NAME, idle, *engine]


def came_up(home: Path) -> None:
    """Told by an engine that serves from now on."""
    parent = own()
    with contextlib.suppress(OSError):
        (home / FILE).unlink()
    with contextlib.suppress(OSError):  # a full disk, say: only its first moments are not told
        if parent is not None:
            (home / PID_FILE).write_text(f"{parent}\n")
    _signal(signal.SIGUSR1)


def stays() -> None:
    """Told by an engine that shall not end when idle any more."""
    _signal(signal.SIGUSR2)


def of_engine(pid: int) -> int | None:
    """The pid of the watchdog of the engine with this pid; None where it has none."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_bytes().rpartition(b")")[2].split()
        parent = int(fields[1])
    except (OSError, IndexError, ValueError):
        return None
    return parent if is_watchdog(parent) else None


def end(pid: int) -> None:
    """End a watchdog that is about to start its engine again, and what it has started by then."""
    try:
        children = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(pid, signal.SIGTERM)
    except (OSError, ProcessLookupError):
        return  # it has just ended by itself
    for child in children:  # the pause, or an engine that is coming up
        with contextlib.suppress(ProcessLookupError):
            os.kill(int(child), signal.SIGTERM)


def own() -> int | None:
    """The pid of the watchdog of this process, where it is an engine that has one."""
    parent = os.getppid()
    return parent if os.environ.get(_PID) == str(parent) and is_watchdog(parent) else None


def _signal(number: signal.Signals) -> None:
    parent = own()
    if parent is not None:
        os.kill(parent, number)
