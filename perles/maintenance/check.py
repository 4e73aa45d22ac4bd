"""Whether what the database says, what runs and what lies on the disk agree. Fixes nothing."""

import errno
import socket
import time
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from perles.config.home import Paths
from perles.executor.contract import Identity
from perles.executor.local import processes
from perles.executor.local.identity import is_alive
from perles.store.place import damages, engine_lock, shown
from perles.store.reads.connection import reading
from perles.store.reads.consistency import (
    OpenTurn,
    leases_without_holder,
    open_turns,
    ports_to_serve,
    turn_files,
    workflow_states,
)

if TYPE_CHECKING:
    from perles.store.reads.connection import Connection

SETTLE_SECONDS: Final = 1.0
"""What a running engine has in hand is looked at again after so long."""


def check(paths: Paths, wait: Callable[[float], None] = time.sleep) -> list[str]:
    """What is wrong, a line each. Beside a running engine only what stays wrong counts."""
    found = _look(paths)
    if found and engine_lock(paths.database_path()).is_held():
        wait(SETTLE_SECONDS)
        again = set(_look(paths))
        found = [line for line in found if line in again]
    return found


def unknown_sessions(paths: Paths) -> str | None:
    """What to tell of session folders whose workflows this database does not have; None: nothing.

    A home may have a file and a database on a server, each with workflows of its own.
    """
    with reading(paths.database_path()) as connection:
        known = {} if connection is None else workflow_states(connection)
    folders = sorted(paths.sessions_dir().glob("*/*/wf-*"))
    unknown = [folder for folder in folders if folder.name not in known]
    if not unknown:
        return None
    count = "1 session folder is" if len(unknown) == 1 else f"{len(unknown)} session folders are"
    which = "it" if len(unknown) == 1 else "the first"
    return (
        f"{count} of workflows that {shown(paths.database_path())} does not have, and left alone: "
        f"another database of this home may have them; {which}: {unknown[0]}"
    )


def _look(paths: Paths) -> list[str]:
    with reading(paths.database_path()) as connection:
        if connection is None:
            return []
        engine = engine_lock(paths.database_path()).is_held()
        return [
            *_damage(connection),
            *_orphans(connection),
            *_without_process(open_turns(connection)),
            *leases_without_holder(connection),
            *(_silent_ports(connection) if engine else ()),
            *_stray_files(connection, paths),
        ]


def _damage(connection: "Connection") -> list[str]:
    return [f"damaged database: {found}" for found in damages(connection, 5)]


def _orphans(connection: "Connection") -> list[str]:
    """A running workflow may have processes beside its turns, such as a server for its tests."""
    states = workflow_states(connection)
    return [
        f"orphan: process {one.pid} ({one.command}) of {one.workflow_id}, which is {state}"
        for one in processes.marked()
        if (state := states.get(one.workflow_id, "running")) != "running"
    ]


def _without_process(turns: list[OpenTurn]) -> list[str]:
    return [
        f"open turn without process: {turn.agent} of {turn.workflow_id}, turn {turn.number}"
        for turn in turns
        if not _lives(turn)
    ]


def _lives(turn: OpenTurn) -> bool:
    if turn.pid is None or turn.start_ticks is None or turn.boot_id is None:
        return bool(processes.family([f"PERLES_TURN={turn.workflow_id}/{turn.id}"]))
    return is_alive(Identity(turn.pid, turn.start_ticks, turn.boot_id))


def _silent_ports(connection: "Connection") -> list[str]:
    return [
        f"port held by nobody: {port} of {workflow_id} does not listen"
        for port, workflow_id in ports_to_serve(connection)
        if not _listens(port)
    ]


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(2.0)
        return probe.connect_ex(("127.0.0.1", port)) != errno.ECONNREFUSED


def _stray_files(connection: "Connection", paths: Paths) -> list[str]:
    known, files = workflow_states(connection), turn_files(connection)
    found = []
    for folder in sorted(paths.sessions_dir().glob("*/*/wf-*")):
        if folder.name not in known:
            continue  # told by `unknown_sessions`: nothing here says that they are wrong
        outputs = sorted([*folder.glob("*/turn-*.out"), *folder.glob("*/turn-*.stdout.jsonl")])
        found += [f"files without turn: {path}" for path in outputs if str(path) not in files]
    return found
