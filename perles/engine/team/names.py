"""Names of agents: coordinator, coordinator-2, worker-N. A name is never used again."""

from typing import Final

from perles.store import statements
from perles.store.expressions import bindparam, select
from perles.store.reader import Reader
from perles.store.schema.agents import Agent
from perles.store.schema.engine import Command
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.sqlite.backend import field_of

_PROMISED: Final = Sql(
    select(field_of(Command.args, "successor").label("name")).where(
        Command.workflow_id == WORKFLOW_ID,
        Command.kind == "agent.replace",
        Command.status.in_(["queued", "running"]),
        field_of(Command.args, "successor") != bindparam("none", ""),
    )
)
"""Names that somebody was told of: their agents come as soon as a turn has ended."""


def next_name(reader: Reader, workflow_id: str, role: str) -> str:
    """The name of the next agent of this role; the first coordinator is no business of it."""
    agents = reader.all(Agent, statements.AGENTS_OF, workflow_id=workflow_id)
    used = [agent.name for agent in agents if agent.role == role]
    used += [str(row["name"]) for row in reader.rows(_PROMISED, workflow_id=workflow_id)]
    return f"{role}-{max((_number(name, role) for name in used), default=0) + 1}"


def _number(name: str, role: str) -> int:
    """Its place in the row of its role: the one without a number is the first."""
    number = name.removeprefix(f"{role}-")
    return int(number) if number.isdigit() else int(name == role)
