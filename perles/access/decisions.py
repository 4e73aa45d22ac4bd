"""What only a person decides: an agent that tries is refused, and the person is told."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from perles.access import origin
from perles.access.origin import Origin
from perles.domain.errors import DatabaseError, PersonNeededError
from perles.store.reads.connection import reading
from perles.store.sqlite.backend import field

if TYPE_CHECKING:
    from pathlib import Path

    from perles.store.transaction import Tx

MAX_TOLD: Final = 5
"""Refusals that are told for one turn: a loop of them must not fill the inbox."""
_TOLD: Final = (
    "SELECT count(*) FROM events WHERE workflow_id = ? AND type = 'security.rejected' "  # noqa: S608 - constants
    f"AND CAST({field('payload', 'by.turn')} AS BIGINT) IS ?"
)

Write = Callable[[Callable[["Tx"], None]], Any]


def asker(path: Path, write: Write, what: str, workflow_id: str | None = None) -> Origin:
    """Who asks for `what` in the database at `path`, where they may.

    Raises `PersonNeededError` for an agent, unless it may do that to the workflow.
    """
    found = origin.here(path)
    if found.agent is None:
        return found
    with reading(path) as connection:
        assert connection is not None
        maker = found.agent.workflow_id
        if (
            _is_for_maker(what)
            and workflow_id is not None
            and origin.made_by(connection, workflow_id, maker)
        ):
            return found
        told = connection.execute(_TOLD, (maker, found.agent.turn)).fetchone()[0]
    if told < MAX_TOLD:
        _tell(write, found, what, workflow_id)
    raise PersonNeededError(_step(what, workflow_id), found.label)


def _is_for_maker(what: str) -> bool:
    """Whether an agent may ask this of a workflow that it created; all else is a person's."""
    from perles.domain.commands import COMMANDS

    return what == "retry" or (what in COMMANDS and COMMANDS[what].for_maker)


def _step(what: str, workflow_id: str | None) -> str:
    from perles.domain.commands import COMMANDS

    step = COMMANDS[what].step if what in COMMANDS else what
    return step if workflow_id is None else f"{step} {workflow_id}"


def _tell(write: Write, found: Origin, what: str, workflow_id: str | None) -> None:
    from perles.store.events import journal

    agent = found.agent
    assert agent is not None
    text = f"{agent.agent} tried to {_step(what, workflow_id)}: refused, only a person may"
    payload = {"why": text, "kind": what, "target": workflow_id, "by": found.payload()}

    def record(tx: Tx) -> None:
        about: dict[str, Any] = {"workflow_id": agent.workflow_id, "turn_id": agent.turn}
        journal.append(tx, "security.rejected", payload, **about)
        journal.append(tx, "user.notification", {"text": text, "phase": None}, **about)

    try:
        write(record)
    except DatabaseError:
        return  # in a sandbox the database is read-only: refusing is what counts
