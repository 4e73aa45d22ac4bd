"""Named points at which the crash suite kills the engine: `PERLES_FAULT=point:count`.

The process ends with SIGKILL when it comes to the point for the count-th time.
Without the variable, which is always, a point costs a comparison.
"""

import os
import signal
from typing import Final

POINTS: Final = (
    "begin.before-commit",
    "begin.after-commit",
    "spawn.after",
    "running.before-commit",
    "running.after-commit",
    "output.before-commit",
    "output.after-commit",
    "outcome.before-commit",
    "outcome.after-commit",
    "command.taken",
    "command.before-commit",
    "command.after-commit",
    "tool.before-commit",
    "tool.after-commit",
    "worktree.before-make",
    "worktree.after-make",
    "merge.before-checks",
    "merge.after-checks",
    "merge.before-record",
    "start.after-commit",
    "finally.before-commit",
    "finally.after-commit",
    "end.before-commit",
    "end.after-commit",
    "reconcile.adopted",
    "service.before-begin",
    "service.before-ready",
    "service.after-ready",
    "service.after-complete",
)


def _planned(text: str) -> tuple[str, int]:
    point, _, count = text.partition(":")
    if point and (point not in POINTS or not (count or "1").isdecimal()):
        raise SystemExit(f"PERLES_FAULT={text}: no such point; there are {', '.join(POINTS)}")
    return point, int(count or 1)


_point, _left = _planned(os.environ.get("PERLES_FAULT", ""))


def at(point: str) -> None:
    """Die here, where that is planned."""
    global _left
    if point == _point:
        _left -= 1
        if _left == 0:
            os.kill(os.getpid(), signal.SIGKILL)
