"""What turns do that print nothing: the processor time and the input and output of their processes.

A turn's processes are its session, whatever those started (a tool may have cleared
the environment), and what carries its mark although it left both. What the agent's CLI
itself uses is told apart: one that only waits for its model polls, draws and collects
garbage, while the tools that work for it are its children.
"""

import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from perles.executor.contract import Used
from perles.executor.local import processes
from perles.executor.local.identity import read_proc, stat_fields
from perles.executor.local.launcher import launched

_TICKS: Final = os.sysconf("SC_CLK_TCK")
_SANDBOX: Final = "bwrap"


class Tree(NamedTuple):
    """Where to look for the processes of one turn. None of them is older than `since`, in ticks."""

    turn_id: int
    marker: str
    sessions: Sequence[int]
    since: int


class _Process(NamedTuple):
    parent: int
    session: int
    started: int
    cpu: float
    of_ended: float
    """Seconds of children that ended."""


def look(trees: Sequence[Tree]) -> dict[int, Used]:
    """What each turn has used so far: one look at all processes, however many turns."""
    found = {tree.turn_id: Used() for tree in trees}
    since = min((tree.since for tree in trees), default=0)
    processes = {pid: one for pid, one in _all() if one.started >= since}
    own = {pid for tree in trees for pid in _own(tree, processes)}
    for pid, turn_id in _members(trees, processes).items():
        found[turn_id] += _used(pid, processes[pid], is_own=pid in own)
    return found


def _used(pid: int, one: _Process, *, is_own: bool) -> Used:
    if is_own:
        return Used(one.of_ended, 0, one.cpu)
    return Used(one.cpu + one.of_ended, _io(pid))


def _members(trees: Sequence[Tree], processes: Mapping[int, _Process]) -> dict[int, int]:
    """By pid, the turn to which a process belongs."""
    by_session = {session: tree.turn_id for tree in trees for session in tree.sessions}
    by_marker = {tree.marker.encode(): tree.turn_id for tree in trees}
    owners: dict[int, int] = {}
    for pid, one in processes.items():
        owner = by_session.get(one.session) or _marked(pid, by_marker)
        if owner is not None:
            owners[pid] = owner
    return {
        pid: owner for pid in processes if (owner := _owner(pid, processes, owners)) is not None
    }


def _owner(pid: int, processes: Mapping[int, _Process], owners: Mapping[int, int]) -> int | None:
    """The turn of the process, or of its nearest ancestor."""
    for _ in range(len(processes)):
        if pid in owners or pid not in processes:
            break
        pid = processes[pid].parent
    return owners.get(pid)


def _own(tree: Tree, processes: Mapping[int, _Process]) -> set[int]:
    """The launcher, the CLI that it started, and those to which that handed its arguments on.

    Many CLIs are a script that starts the real program, or themselves with more memory.
    """
    own: set[int] = set()
    for launcher in tree.sessions:
        handed_on = _arguments(launched(launcher))
        generation = [launcher] if launcher in processes else []
        while generation:
            own.update(generation)
            parents = set(generation)
            passes = {pid for pid in parents if pid == launcher or _name(pid) == _SANDBOX}
            generation = [
                pid
                for pid, one in processes.items()
                if one.parent in parents
                and (one.parent in passes or _has_arguments(pid, handed_on))
            ]
    return own


def _arguments(argv: Sequence[bytes]) -> Sequence[bytes]:
    """What stands behind the program, also behind that of a sandbox."""
    if argv and argv[0].rpartition(b"/")[2] == _SANDBOX.encode() and b"--" in argv:
        argv = argv[argv.index(b"--") + 1 :]
    return argv[1:]


def _has_arguments(pid: int, wanted: Sequence[bytes]) -> bool:
    if not wanted:
        return False
    try:
        words = read_proc(f"/proc/{pid}/cmdline").split(b"\0")[:-1]
    except OSError:
        return False  # it ended meanwhile
    return words[-len(wanted) :] == list(wanted)


def _name(pid: int) -> str:
    try:
        return Path(f"/proc/{pid}/comm").read_text(errors="replace").strip()
    except OSError:
        return ""  # it ended meanwhile


def _all() -> Iterable[tuple[int, _Process]]:
    for entry in os.listdir("/proc"):
        if not entry.isdigit():
            continue
        fields = stat_fields(int(entry))
        if fields is None:
            continue  # it ended meanwhile
        user, system, user_ended, system_ended = (int(field) / _TICKS for field in fields[11:15])
        yield (
            int(entry),
            _Process(
                parent=int(fields[1]),
                session=int(fields[3]),
                started=int(fields[19]),
                cpu=user + system,
                of_ended=user_ended + system_ended,
            ),
        )


def _marked(pid: int, markers: Mapping[bytes, int]) -> int | None:
    for variable in processes.environ_of(pid):
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
