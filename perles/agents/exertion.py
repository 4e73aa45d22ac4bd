"""What turns do that print nothing: the processor time and the input and output of their processes.

A turn's processes are its session, whatever those started (a tool may have cleared
the environment), and what carries its mark although it left both.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from perles.agents import families
from perles.agents.identity import stat_fields

_TICKS: Final = os.sysconf("SC_CLK_TCK")


class Tree(NamedTuple):
    """Where to look for the processes of one turn. None of them is older than `since`, in ticks."""

    turn_id: int
    marker: str
    sessions: Sequence[int]
    since: int


class Used(NamedTuple):
    """What processes and their ended children have used: seconds, and bytes read and written."""

    cpu: float = 0.0
    io: int = 0

    def __add__(self, other: object) -> "Used":
        assert isinstance(other, Used)
        return Used(self.cpu + other.cpu, self.io + other.io)


class _Process(NamedTuple):
    parent: int
    session: int
    started: int
    cpu: float


def look(trees: Sequence[Tree]) -> dict[int, Used]:
    """What each turn has used so far: one look at all processes, however many turns."""
    found = {tree.turn_id: Used() for tree in trees}
    for pid, (turn_id, cpu) in _members(trees).items():
        found[turn_id] += Used(cpu, _io(pid))
    return found


def _members(trees: Sequence[Tree]) -> dict[int, tuple[int, float]]:
    """By pid, the turn to which a process belongs and its processor time."""
    since = min((tree.since for tree in trees), default=0)
    processes = {pid: one for pid, one in _all() if one.started >= since}
    by_session = {session: tree.turn_id for tree in trees for session in tree.sessions}
    by_marker = {tree.marker.encode(): tree.turn_id for tree in trees}
    owners: dict[int, int] = {}
    for pid, one in processes.items():
        owner = by_session.get(one.session) or _marked(pid, by_marker)
        if owner is not None:
            owners[pid] = owner
    return {
        pid: (owner, one.cpu)
        for pid, one in processes.items()
        if (owner := _owner(pid, processes, owners)) is not None
    }


def _owner(pid: int, processes: Mapping[int, _Process], owners: Mapping[int, int]) -> int | None:
    """The turn of the process, or of the nearest of those that started it."""
    for _ in range(len(processes)):
        if pid in owners or pid not in processes:
            break
        pid = processes[pid].parent
    return owners.get(pid)


def _all() -> Iterable[tuple[int, _Process]]:
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        fields = stat_fields(int(entry))
        if fields is None:
            continue  # it ended meanwhile
        cpu = sum(int(field) for field in fields[11:15]) / _TICKS
        yield int(entry), _Process(int(fields[1]), int(fields[3]), int(fields[19]), cpu)


def _marked(pid: int, markers: Mapping[bytes, int]) -> int | None:
    for variable in families.environ_of(pid):
        if variable in markers:
            return markers[variable]
    return None


def _io(pid: int) -> int:
    """Bytes that the process read and wrote, also from and to pipes and sockets."""
    try:
        text = Path(f"/proc/{pid}/io").read_text()
    except (OSError, ValueError):
        return 0  # it ended meanwhile, or may not be looked at
    counts = dict(line.split(": ") for line in text.splitlines())
    return int(counts.get("rchar", 0)) + int(counts.get("wchar", 0))
