"""When the clock was set: the times that durations are reckoned from move with it.

A workflow that ran for an hour has run for an hour whatever the clock shows. Times that
only date things (`created_at`, `ended_at`, events) stay as they were written.
"""

from datetime import timedelta
from typing import Any, Final

from perles.domain.clock import from_text, to_text
from perles.domain.states import LIVE_TURNS, OPEN_TASK_STATES
from perles.store.expressions import (
    BindParameter,
    ColumnElement,
    SQLColumnExpression,
    bindparam,
    case,
    func,
    update,
)
from perles.store.schema.agents import Agent, ProviderHold, Turn
from perles.store.schema.base import Base
from perles.store.schema.engine import Engine
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.sqlite.backend import shifted
from perles.store.transaction import Tx

_NOW: Final[BindParameter[str]] = bindparam("now_")


def _is_fresh(column: SQLColumnExpression[Any]) -> ColumnElement[bool]:
    """Written after the clock was set: it moved unseen for an instant."""
    return column.between(bindparam("fresh"), _NOW)


def _moved(column: ColumnElement[Any]) -> ColumnElement[Any]:
    """The time in the new clock's terms, which is never to come."""
    moved = func.coalesce(shifted(column, bindparam("by")), column)
    return case((_is_fresh(column), column), else_=func.min(moved, _NOW))


def _move(model: type[Base], *names: str, **more: Any) -> Any:
    columns = {name: _moved(model.__table__.c[name]) for name in names}
    return update(model).values({**columns, **more})


_not_up = case(
    (Workflow.started_at.is_(None) | _is_fresh(Workflow.started_at), Workflow.paused_s),
    else_=Workflow.paused_s + bindparam("seconds"),
)
_STATEMENTS: Final = (
    Sql(
        _move(
            Workflow,
            "start_requested_at",
            "worker_requested_at",
            "worker_offered_at",
            "last_heartbeat_at",
            "last_progress_at",
            "last_recovery_at",
            "paused_at",
            paused_s=_not_up,
        ).where(Workflow.state.in_(["pending", "running", "paused"]))
    ),
    Sql(
        _move(Agent, "last_activity_at", "updated_at").where(
            Agent.status.in_(["ready", "working", "paused", "failed"])
        )
    ),
    Sql(
        _move(Turn, "created_at", "started_at").where(
            Turn.status.in_([str(status) for status in LIVE_TURNS] + ["queued"])
        )
    ),
    Sql(_move(Task, "started_at").where(Task.status.in_([str(s) for s in OPEN_TASK_STATES]))),
    Sql(_move(Engine, "started_at", "heartbeat_at")),
)
_HOLDS: Final = (
    Sql(
        update(Agent)
        .where(Agent.held_until > _NOW)
        .values(held_until=shifted(Agent.held_until, bindparam("by")))
    ),
    Sql(
        update(Task)
        .where(Task.held_until > _NOW)
        .values(held_until=shifted(Task.held_until, bindparam("by")))
    ),
    Sql(
        update(ProviderHold)
        .where(ProviderHold.until > _NOW)
        .values(
            until=shifted(ProviderHold.until, bindparam("by")),
            probe_at=shifted(ProviderHold.probe_at, bindparam("by")),
        )
    ),
)


def redate(tx: Tx, seconds: float, unseen: float = 0.0) -> None:
    """The clock was set ahead by `seconds`, back where negative, at most `unseen` seconds ago.

    What waits until a time never waits longer for it: set back, that time moves, too;
    set ahead, it comes early, and a caller is told again.
    """
    fresh = to_text(from_text(tx.now) - timedelta(seconds=unseen))
    values = {"now_": tx.now, "fresh": fresh, "seconds": seconds, "by": f"{seconds:+.3f} seconds"}
    for statement in _STATEMENTS if seconds >= 0 else _STATEMENTS + _HOLDS:
        tx.run(statement, **values)
