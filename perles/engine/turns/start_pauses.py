"""Pauses after a turn could not be started for a reason that may pass by itself.

A machine that is short of space, memory or processes starts nothing for a moment. A node that is,
or that does not answer, holds up its own agents only.
"""

import errno
import time
from typing import Final

from perles.executor.contract import NO_ROOM, SpawnError
from perles.executor.remote.errors import FencedError, UnreachableError

PAUSE_SECONDS: Final = 2.0
SHORTAGES: Final = NO_ROOM | {errno.ENOMEM, errno.EAGAIN, errno.EMFILE, errno.ENFILE}


class StartPauses:
    """Until when no turn is started, on this machine or on a node."""

    def __init__(self) -> None:
        self._all_until = 0.0
        self._until: dict[str, float] = {}

    def hold_all(self) -> bool:
        """Whether no turn may start now."""
        return time.monotonic() < self._all_until

    def hold(self, node: str | None) -> bool:
        """Whether no turn may start on this node now; None is this machine."""
        return node is not None and time.monotonic() < self._until.get(node, 0.0)

    def begin(self, node: str | None, error: Exception) -> None:
        """Pause after an error that may pass, met by a turn on this node."""
        until = time.monotonic() + PAUSE_SECONDS
        if node is not None and (isinstance(error, SpawnError) or _is_away(error)):
            self._until[node] = until
        else:
            self._all_until = until


def may_pass(error: Exception) -> bool:
    """Whether starting the process may work later: a machine is short of something, or away."""
    if _is_away(error):
        return True
    return _number(error) in SHORTAGES


def is_no_room(error: Exception) -> bool:
    """Whether a disk, or what its user may have of it, is full."""
    return _number(error) in NO_ROOM


def _number(error: Exception) -> int | None:
    cause = error.__cause__ if isinstance(error, SpawnError) else error
    return cause.errno if isinstance(cause, OSError) else None


def _is_away(error: Exception) -> bool:
    return isinstance(error, UnreachableError | FencedError)
