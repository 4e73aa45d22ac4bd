"""The engine as a reader of its database sees it: at work, silent, or not there.

By the driver alone.
"""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Final

from perles.domain.errors import NotFoundError
from perles.domain.explanations import NO_ENGINE, RESTARTED
from perles.store.pending_work import WORK
from perles.store.place import engine_lock, file_of
from perles.store.reads.connection import Json
from perles.store.reads.current_work import age
from perles.store.reads.nodes import cluster
from perles.store.reads.watchdog import pauses, watches

if TYPE_CHECKING:
    from sqlite3 import Connection

SILENT_SECONDS: Final = 60.0
"""How old the heartbeat of an engine, one every 5 s, may be without a word about it."""
FULL_SECONDS: Final = 15.0
"""The same where the disk is full, which explains it."""
_LEAST_FREE: Final = 64 * 1024
"""Bytes below which a disk counts as full: the log cannot grow by a commit."""


def trouble(connection: Connection, now: datetime | None = None) -> str | None:
    """What keeps the engine from its work: that none runs, is started again, or is silent, and why.

    None where one is at work, or is just coming up.
    """
    path = Path(file_of(connection))
    lock = engine_lock(path, connection)
    is_held = lock.is_held()
    query = "SELECT pid, heartbeat_at, ended_at FROM engine WHERE id = 1"
    row = connection.execute(query).fetchone()
    if not is_held:
        died = row is not None and not row["ended_at"]
        dog = (watches if died else pauses)(path.parent)
        return NO_ENGINE if dog is None else RESTARTED
    if row is None or row["ended_at"] or row["pid"] != lock.holder():
        return None  # that was the one before
    now = now or datetime.now(UTC)
    silent = (now - datetime.fromisoformat(row["heartbeat_at"])).total_seconds()
    full = silent > FULL_SECONDS and is_full(path.parent)
    if not full and silent <= SILENT_SECONDS:
        return None
    why = f": the disk of {path.parent} is full" if full else ""
    return f"the engine gives no sign for {age(row['heartbeat_at'], now)}{why}"


def is_full(folder: Path) -> bool:
    """Whether nothing can be written there for want of space."""
    try:
        found = os.statvfs(folder)
    except OSError:
        return False
    return found.f_bavail * found.f_frsize < _LEAST_FREE


def asked_for(connection: Connection) -> set[str]:
    """The workflows that wait to be started or to go on, by a command that nobody took yet."""
    query = (
        "SELECT DISTINCT workflow_id FROM commands WHERE status = 'queued' "
        "AND kind IN ('start', 'resume')"
    )
    return {row[0] for row in connection.execute(query)}


def has_work(connection: Connection | None) -> bool:
    """Whether a workflow runs, or waits to be started."""
    if connection is None:
        return False
    return bool(connection.execute(f"SELECT {WORK}").fetchone()[0])


def command(connection: Connection | None, command_id: int) -> Json:
    """A command's status, result and error."""
    if connection is None:
        raise NotFoundError("command", str(command_id))
    query = "SELECT status, result, error FROM commands WHERE id = ?"
    row = connection.execute(query, (command_id,)).fetchone()
    result = json.loads(row["result"]) if row["result"] else {}
    return {"status": row["status"], "result": result, "error": row["error"]}


def engine_status(connection: Connection | None) -> Json | None:
    """What the engine's row and the leases tell; None where the last engine has ended."""
    if connection is None:
        return None
    row = connection.execute("SELECT * FROM engine WHERE id = 1").fetchone()
    if row is None or row["ended_at"]:
        return None
    query = "SELECT value FROM leases WHERE kind = 'port' ORDER BY value"
    ports = [port[0] for port in connection.execute(query)]
    running = connection.execute("SELECT count(*) FROM running_workflows").fetchone()[0]
    query = "SELECT count(*) FROM turns WHERE status IN ('starting', 'running')"
    return {
        "pid": row["pid"],
        "host": row["host"],
        "version": row["version"],
        "started_at": row["started_at"],
        "heartbeat_at": row["heartbeat_at"],
        "workflows_running": running,
        "turns_running": connection.execute(query).fetchone()[0],
        "ports": ports,
        "cluster": cluster(connection),
    }
