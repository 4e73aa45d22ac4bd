"""What maintenance looks for, on the read side: rows that contradict each other or the machine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

from perles.config.home import found as found_at
from perles.domain.named_limits import in_words
from perles.store.lost_leases import LOST, LOST_NAMED
from perles.store.place import home_of

if TYPE_CHECKING:
    from sqlite3 import Connection

LEASES_WITHOUT_HOLDER: Final = f"""
    SELECT leases.id, leases.kind, leases.value, leases.workflow_id, w.state, a.name AS agent
    FROM leases JOIN workflows w ON w.id = leases.workflow_id
    LEFT JOIN agents a ON a.id = leases.agent_id
    WHERE {LOST} ORDER BY leases.id
"""
NAMED_WITHOUT_HOLDER: Final = f"""
    SELECT named_leases.name, named_leases.size, named_leases.acquired_at,
        named_leases.workflow_id, w.state, t.key, t.status
    FROM named_leases JOIN workflows w ON w.id = named_leases.workflow_id
    JOIN tasks t ON t.id = named_leases.task_id
    WHERE {LOST_NAMED} ORDER BY named_leases.id
"""


class OpenTurn(NamedTuple):
    """A turn that the database calls starting or running."""

    id: int
    workflow_id: str
    agent: str
    number: int
    pid: int | None
    start_ticks: int | None
    boot_id: str | None
    stdout: str


def open_turns(connection: Connection) -> list[OpenTurn]:
    """All turns whose process should live."""
    query = (
        "SELECT t.id, t.workflow_id, a.name, t.number, t.pid, t.start_ticks, t.boot_id, "
        "t.stdout_path FROM turns t JOIN agents a ON a.id = t.agent_id "
        "WHERE t.status IN ('starting', 'running') ORDER BY t.id"
    )
    home = home_of(connection)
    turns = (OpenTurn(*row) for row in connection.execute(query))
    return [turn._replace(stdout=found_at(home, turn.stdout)) for turn in turns]


def workflow_states(connection: Connection) -> dict[str, str]:
    """The state of every workflow, by its id."""
    return {row[0]: row[1] for row in connection.execute("SELECT id, state FROM workflows")}


def turn_files(connection: Connection) -> set[str]:
    """Where the output of every turn lies."""
    home = home_of(connection)
    return {found_at(home, row[0]) for row in connection.execute("SELECT stdout_path FROM turns")}


def leases_without_holder(connection: Connection) -> list[str]:
    """Each lease that nobody can hold any more, in words."""
    found = []
    for row in connection.execute(LEASES_WITHOUT_HOLDER):
        what = row["kind"] if row["value"] is None else f"{row['kind']} {row['value']}"
        who = row["workflow_id"] + (f" {row['agent']}" if row["agent"] else "")
        found.append(f"lease without holder: {what} of {who}, which is {row['state']}")
    for row in connection.execute(NAMED_WITHOUT_HOLDER):
        what = f"{'' if row['acquired_at'] else 'wait for '}{in_words(row['name'], row['size'])}"
        found.append(
            f"lease without holder: {what} of {row['key']}, which is {row['status']}, of "
            f"{row['workflow_id']}, which is {row['state']}"
        )
    return found


def ports_to_serve(connection: Connection) -> list[tuple[int, str]]:
    """The ports that should listen now, each with its workflow."""
    query = (
        "SELECT l.value, l.workflow_id FROM leases l JOIN workflows w ON w.id = l.workflow_id "
        "WHERE l.kind = 'port' AND w.state = 'running' ORDER BY l.value"
    )
    return [(int(row[0]), str(row[1])) for row in connection.execute(query)]
