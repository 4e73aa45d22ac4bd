"""`fire`: the one path by which a row changes its state.

In one transaction: read state and version, let the machine decide, update where
both are still what was read, append the event. A row that changed meanwhile, or
an edge that is not there, is refused with the state that was found.
"""

from collections.abc import Mapping
from typing import Any, Final, NamedTuple

from perles.domain.errors import StaleError
from perles.domain.machine import Decision, decide
from perles.domain.named_limits import MARK
from perles.domain.states import (
    AGENT,
    CLUSTER,
    COMMAND,
    NODE,
    PHASE,
    QUESTION,
    TASK,
    TURN,
    WORKFLOW,
    Rules,
    T,
)
from perles.store import named_leases
from perles.store.events import journal
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.base import Base
from perles.store.schema.engine import Command
from perles.store.schema.nodes import ClusterLink, Node
from perles.store.schema.questions import Question
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.sql import move_of, names, plain
from perles.store.transaction import Tx


class _Place(NamedTuple):
    """Where a machine's state is kept, and which columns tell what its event is about."""

    model: type[Base]
    column: str
    label: str
    about: dict[str, str]


_PLACES: Final = {
    WORKFLOW.kind: _Place(Workflow, "state", "id", {"workflow_id": "id"}),
    AGENT.kind: _Place(Agent, "status", "name", {"workflow_id": "workflow_id", "agent_id": "id"}),
    PHASE.kind: _Place(
        Agent,
        "phase",
        "name",
        {"workflow_id": "workflow_id", "agent_id": "id", "task_id": "task_id"},
    ),
    TURN.kind: _Place(
        Turn,
        "status",
        "id",
        {"workflow_id": "workflow_id", "agent_id": "agent_id", "turn_id": "id"},
    ),
    TASK.kind: _Place(Task, "status", "key", {"workflow_id": "workflow_id", "task_id": "id"}),
    COMMAND.kind: _Place(
        Command, "status", "kind", {"workflow_id": "workflow_id", "agent_id": "agent_id"}
    ),
    QUESTION.kind: _Place(
        Question,
        "status",
        "id",
        {"workflow_id": "workflow_id", "agent_id": "agent_id", "task_id": "task_id"},
    ),
    NODE.kind: _Place(Node, "state", "id", {}),
    CLUSTER.kind: _Place(ClusterLink, "state", "place", {}),
}


def fire(
    tx: Tx,
    rules: Rules[T],
    id: int | str,
    trigger: T,
    *,
    expect_version: int | None = None,
    changes: Mapping[str, Any] | None = None,
    payload: Mapping[str, Any] | None = None,
) -> Decision:
    """Take the row `id` over the edge `trigger` of its machine, with its event.

    `changes` are other columns of the row to set with it; `payload` joins the
    event's own `from`, `to` and `trigger`. Raises `WrongStateError` for an edge
    that is not there, `StaleError` when the row's version is not
    `expect_version`, `LookupError` when there is no such row.
    """
    place = _PLACES[rules.kind]
    row = tx.get(place.model, id)
    if row is None:
        raise LookupError(f"no {rules.kind} {id!r}")
    found = row.__dict__
    label, state = str(found[place.label]), found[place.column]
    decision = decide(rules, state, trigger, name=label)
    if expect_version is not None and expect_version != found["version"]:
        raise StaleError(rules.kind, label, state, trigger)
    values = {name: plain(value) for name, value in (changes or {}).items()}
    values[place.column] = decision.dest
    changed = tx.run(
        move_of(place.model, place.column, names(values)),
        id_=id,
        state_=decision.source,
        version_=found["version"],
        now_=tx.now,
        **values,
    )
    if changed != 1:
        raise StaleError(rules.kind, label, state, trigger)
    values |= {"version": found["version"] + 1, "updated_at": tx.now}
    tx.keep(place.model, id, row, values)
    if rules.kind == TASK.kind and MARK in found["execution"]:
        named_leases.settle(tx, int(id), decision)
    about = {name: found[column] for name, column in place.about.items()}
    told = {"from": decision.source, "to": decision.dest, "trigger": trigger, **(payload or {})}
    event_type = decision.event
    if "{role}" in event_type:
        event_type = event_type.format(role=found["role"])
    journal.append(tx, event_type, told, **about)
    return decision
