"""What an agent printed becomes events and usage, with the offset it was read to."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from perles.agents.provider import AgentEvent, Kind
from perles.domain.errors import PerlesError
from perles.engine import crash_points
from perles.engine.resources import budgets
from perles.engine.turns.limit_notices import heed
from perles.engine.turns.usage import Account
from perles.executor.contract import Batch
from perles.store.events import journal
from perles.store.expressions import bindparam, update
from perles.store.schema.agents import Agent, Turn
from perles.store.sql import Sql
from perles.store.transaction import Tx

if TYPE_CHECKING:
    from perles.engine.turns.live import LiveTurn

MOVE_OFFSET: Final = Sql(
    update(Turn)
    .where(Turn.id == bindparam("id_"), Turn.stdout_offset == bindparam("from_"))
    .values(stdout_offset=bindparam("to_"), updated_at=bindparam("now_"))
)


def apply_batch(tx: Tx, live: LiveTurn, batch: Batch) -> None:
    """Journal what an agent printed, with its usage, and move the turn's offset: all or nothing."""
    moved = tx.run(
        MOVE_OFFSET,
        id_=live.turn_id,
        from_=live.offset,
        to_=batch.offset,
        now_=tx.now,
    )
    if moved != 1:
        raise PerlesError(
            f"cannot journal output of turn {live.turn_id}: it was read beyond {live.offset} before"
        )
    policy = live.policy()
    account = Account(tx, policy, live)
    changes: dict[str, Any] = {"last_activity_at": tx.now}
    for event in batch.events:
        changes |= _journalled(tx, live, account, event)
    live.output.tell(tx, about_turn(live))
    tx.update(Agent, live.agent_id, **changes)
    budgets.count(tx, policy, live, account.spent)
    crash_points.at("output.before-commit")


def _journalled(tx: Tx, live: LiveTurn, account: Account, event: AgentEvent) -> dict[str, Any]:
    """Write one thing that an agent printed, where it may have more; its columns that it sets."""
    if event.kind is Kind.SESSION:
        return {"provider_session_id": event.data["id"]}
    if event.kind is Kind.USAGE:
        return account.add(event) | heed(tx, live, event)
    if not live.output.is_open:
        live.output.leave_out(len(event.text))
        return {}
    changes = heed(tx, live, event)
    if event.kind is Kind.LIMIT:
        live.output.take(0)
    else:
        size = journal.append(tx, f"{live.role}.output", _shown(event), **about_turn(live))
        live.output.take(size)
    return changes


def about_turn(live: LiveTurn) -> dict[str, Any]:
    """What an event of a turn is about."""
    about: dict[str, Any] = {"workflow_id": live.workflow_id, "agent_id": live.agent_id}
    return {**about, "turn_id": live.turn_id}


def _shown(event: AgentEvent) -> dict[str, Any]:
    data = {name: value for name, value in event.data.items() if name != "report"}
    return {"kind": str(event.kind), "text": event.text, **data}
