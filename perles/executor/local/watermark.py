"""A mark on processes that no `env -i`, `setsid` or daemon takes off: an unused resource limit.

`RLIMIT_LOCKS` has had no effect since Linux 2.4, and every process has it from the one that
started it, across `exec`, whatever it does to its environment, session or parents. Its soft value
is set to a number made of the workflow and the turn while an agent is started. Only a process that
sets that very limit by itself gets rid of it.
"""

import contextlib
import hashlib
import resource
from collections.abc import Iterable, Iterator
from functools import lru_cache
from typing import Final, NamedTuple

_LOCKS: Final = 10
"""RLIMIT_LOCKS; the module `resource` has no name for it."""
_OURS: Final = 1 << 62
_TURN_BITS: Final = 23
_WORKFLOW_BITS: Final = 38
_TURN_MASK: Final = (1 << _TURN_BITS) - 1
_ALL: Final = (1 << 63) - 1


class Wanted(NamedTuple):
    """Marks to look for: the ones with this value under the mask."""

    mask: int
    value: int


def wanted(markers: Iterable[str]) -> list[Wanted]:
    """What the processes carry that have `PERLES_WORKFLOW=…` or `PERLES_TURN=…` from their turn."""
    found = []
    for marker in markers:
        name, _, value = marker.partition("=")
        if name == "PERLES_WORKFLOW":
            found.append(Wanted(_ALL ^ _TURN_MASK, _number(value)))
        elif name == "PERLES_TURN":
            found.append(Wanted(_ALL, _of_turn(value)))
    return found


def carries(pid: int, marks: Iterable[Wanted]) -> bool:
    """Whether the process has one of these marks; not where it is gone or another user's."""
    try:
        found, _ = resource.prlimit(pid, _LOCKS)
    except (ProcessLookupError, PermissionError):
        return False
    return found > 0 and any(found & mark.mask == mark.value for mark in marks)


@contextlib.contextmanager
def given(turn: str | None) -> Iterator[None]:
    """What is started meanwhile gets the mark of this turn (`WORKFLOW/ID`); None: no mark.

    Where an administrator has limited the limit, it gets none.
    """
    soft, hard = resource.getrlimit(_LOCKS)
    if turn is None or hard != resource.RLIM_INFINITY:
        yield
        return
    resource.setrlimit(_LOCKS, (_of_turn(turn), hard))
    try:
        yield
    finally:
        resource.setrlimit(_LOCKS, (soft, hard))


def number_for(turn: str) -> int | None:
    """The mark of this turn (`WORKFLOW/ID`); None where an administrator has limited the limit."""
    return _of_turn(turn) if resource.getrlimit(_LOCKS)[1] == resource.RLIM_INFINITY else None


def take_off() -> None:
    """Have no mark: an engine that was started by some agent's command is not of its workflow."""
    _, hard = resource.getrlimit(_LOCKS)
    resource.setrlimit(_LOCKS, (hard, hard))


def _of_turn(turn: str) -> int:
    workflow_id, _, number = turn.partition("/")
    return _number(workflow_id) | (int(number) & _TURN_MASK if number.isdecimal() else 0)


@lru_cache(maxsize=1024)
def _number(workflow_id: str) -> int:
    digest = hashlib.blake2b(workflow_id.encode(errors="replace"), digest_size=8).digest()
    return _OURS | (int.from_bytes(digest) % (1 << _WORKFLOW_BITS)) << _TURN_BITS
