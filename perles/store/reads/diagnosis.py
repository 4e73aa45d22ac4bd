"""What the doctor asks about one workflow, on the read side. By the driver alone."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any, NamedTuple

from perles.config.home import found as found_at
from perles.store.place import home_of

if TYPE_CHECKING:
    from sqlite3 import Connection


class CoordinatorError(NamedTuple):
    """The last turn of a coordinator that ended with an error, and the files of its output."""

    number: int
    error: str
    exit_code: int | None
    stderr: str
    stdout: str


def recoveries(connection: Connection, workflow_id: str) -> list[tuple[str, dict[str, Any]]]:
    """What was tried for the workflow as a whole when it was stuck: types and payloads."""
    query = (
        "SELECT type, payload FROM events WHERE workflow_id = ? "
        "AND agent_id IS NULL AND type IN "
        "('recovery.attempted', 'recovery.failed', 'recovery.exhausted') ORDER BY seq"
    )
    rows = connection.execute(query, (workflow_id,))
    return [(row["type"], json.loads(row["payload"])) for row in rows]


def coordinator_error(connection: Connection, workflow_id: str) -> CoordinatorError | None:
    """The last error of a coordinator; None where none had one."""
    query = (
        "SELECT t.number, t.error, t.exit_code, t.stderr_path, t.stdout_path FROM turns t "
        "JOIN agents a ON a.id = t.agent_id WHERE t.workflow_id = ? AND a.role = 'coordinator' "
        "AND t.error IS NOT NULL ORDER BY t.id DESC LIMIT 1"
    )
    row = connection.execute(query, (workflow_id,)).fetchone()
    if row is None:
        return None
    home = home_of(connection)
    files = (found_at(home, row["stderr_path"]), found_at(home, row["stdout_path"]))
    return CoordinatorError(row["number"], row["error"], row["exit_code"], *files)


def last_signs(connection: Connection, workflow_id: str) -> tuple[str | None, str | None]:
    """When its agents gave their last sign, and when it last made progress."""
    query = "SELECT last_heartbeat_at, last_progress_at FROM workflows WHERE id = ?"
    beat, progress = connection.execute(query, (workflow_id,)).fetchone()
    return beat, progress


def stuck_workers(connection: Connection, workflow_id: str) -> list[tuple[str, str]]:
    """The workers that hang in a turn that still runs, each with when that was told."""
    query = (
        "SELECT a.name, max(e.created_at) FROM events e JOIN agents a ON a.id = e.agent_id "
        "JOIN turns t ON t.id = e.turn_id WHERE e.workflow_id = ? AND e.type = 'health.stuck' "
        "AND t.status IN ('starting', 'running') GROUP BY a.id ORDER BY a.id"
    )
    return [(row[0], row[1]) for row in connection.execute(query, (workflow_id,))]


def body_of(connection: Connection, workflow_id: str, key: str) -> str:
    """The text of a task."""
    query = "SELECT body FROM tasks WHERE workflow_id = ? AND key = ?"
    return str(connection.execute(query, (workflow_id, key)).fetchone()[0] or "")
