"""Turns on the read side: where each one's output lies. By the driver alone."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Final, NamedTuple

from perles.config.home import found as found_at
from perles.domain.errors import NotFoundError
from perles.domain.secrecy import texts_of
from perles.store.place import home_of, is_server
from perles.store.sqlite.backend import field

if TYPE_CHECKING:
    from collections.abc import Sequence
    from sqlite3 import Connection, Row

OPEN: Final = ("queued", "starting", "running")
_FAILED: Final = (
    f"SELECT agent_id, created_at, {field('payload', 'text')} FROM events "
    "WHERE workflow_id = ? AND type = 'task.reported' "
    f"AND CAST({field('payload', 'exit_code')} AS BIGINT) != 0"
)


class TurnOutput(NamedTuple):
    """One turn and its files. `failed` is how its task failed, where it told that."""

    id: int
    agent: str
    provider: str
    number: int
    status: str
    stdout: str
    stderr: str
    started_at: str | None
    failed: str | None = None

    @property
    def ending(self) -> str:
        """How it stands: a turn may succeed in telling that its task failed."""
        return f"{self.status}, its task failed: {self.failed}" if self.failed else self.status

    @property
    def is_open(self) -> bool:
        """Whether its process may still print."""
        return self.status in OPEN


def turns_of(
    connection: Connection | None,
    workflow_id: str,
    *,
    agent: str | None = None,
    number: int | None = None,
) -> list[TurnOutput]:
    """The turns of a workflow in the order of their start.

    Raises `NotFoundError` for an agent, or a turn of it, that is not there.
    """
    if connection is None:
        raise NotFoundError("workflow", workflow_id)
    names = {
        row[0]
        for row in connection.execute(
            "SELECT name FROM agents WHERE workflow_id = ?", (workflow_id,)
        )
    }
    if agent is not None and agent not in names:
        known = ", ".join(sorted(names)) or "none yet"
        raise NotFoundError("agent", agent, f"the agents of {workflow_id}: {known}")
    query = (
        "SELECT t.id, a.name, a.provider, t.number, t.status, t.stdout_path, t.stderr_path, "
        "t.started_at, t.agent_id, coalesce(t.ended_at, '9') FROM turns t "
        "JOIN agents a ON a.id = t.agent_id WHERE t.workflow_id = ? "
        "AND a.name = coalesce(?, a.name) AND t.number = coalesce(?, t.number) ORDER BY t.id"
    )
    rows = connection.execute(query, (workflow_id, agent, number))
    reports = connection.execute(_FAILED, (workflow_id,)).fetchall()
    home = home_of(connection)
    found = [_output(home, row, reports) for row in rows]
    if number is not None and not found:
        raise NotFoundError("turn", str(number), f"perles logs {workflow_id} shows all there are")
    return found


def machine_of_outputs(connection: Connection | None) -> str | None:
    """On which machine the files of turns lie, where that may be another one; None else."""
    if connection is None or not is_server(connection):
        return None
    row = connection.execute("SELECT host FROM engine WHERE id = 1").fetchone()
    return None if row is None else str(row[0])


def _output(home: str, row: Row, reports: Sequence[Row]) -> TurnOutput:
    return TurnOutput(*row[:8])._replace(
        stdout=found_at(home, row["stdout_path"]),
        stderr=found_at(home, row["stderr_path"]),
        failed=_failed(row, reports),
    )


def secrets_of(connection: Connection | None, workflow_id: str) -> set[str]:
    """The secrets among the variables of a workflow's tasks, its arguments, and our own ones."""
    if connection is None:
        return set()
    query = (
        "SELECT DISTINCT env FROM tasks WHERE workflow_id = ? "
        "UNION ALL SELECT args FROM workflows WHERE id = ?"
    )
    found = texts_of(os.environ)
    for (text,) in connection.execute(query, (workflow_id, workflow_id)):
        variables = json.loads(text).items()
        found |= texts_of({name: one for name, one in variables if isinstance(one, str)})
    return found


def _failed(turn: Row, reports: Sequence[Row]) -> str | None:
    """What the turn's agent reported, while it ran, as failed."""
    agent_id, ended_at = turn[8:]
    for reporter, at, summary in reports:
        if reporter == agent_id and turn["started_at"] <= at <= ended_at:
            return str(summary)
    return None
