"""What a turn used, added up for the turn, its agent and its workflow."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from perles.engine import queries
from perles.store import journal
from perles.store.database import Tx
from perles.store.schema import Agent

if TYPE_CHECKING:
    from perles.engine.turns import LiveTurn


def record(tx: Tx, live: LiveTurn, data: Mapping[str, Any]) -> None:
    """Journal a piece of usage and add it up."""
    about: dict[str, Any] = {
        "workflow_id": live.workflow_id,
        "agent_id": live.agent_id,
        "turn_id": live.turn_id,
    }
    shown = {name: value for name, value in data.items() if name != "totals"}
    journal.append(tx, "agent.usage", shown, **about)
    numbers = {
        "tokens_in": int(data.get("tokens_in", 0)),
        "tokens_out": int(data.get("tokens_out", 0)),
        "tokens_cached": int(data.get("tokens_cached", 0)),
        "cost": float(data.get("cost_usd", 0)),
    }
    if any(numbers.values()):
        tx.run(queries.ADD_USAGE_TO_TURN, id_=live.turn_id, now_=tx.now, **numbers)
        tx.run(queries.ADD_USAGE_TO_AGENT, id_=live.agent_id, now_=tx.now, **numbers)
    tokens = numbers["tokens_in"] + numbers["tokens_out"]
    if tokens or numbers["cost"]:
        tx.run(
            queries.ADD_USAGE_TO_WORKFLOW,
            id_=live.workflow_id,
            tokens=tokens,
            cost=numbers["cost"],
            now_=tx.now,
        )
    changes: dict[str, Any] = {
        name: int(data[name]) for name in ("context_used", "context_window") if data.get(name)
    }
    if "totals" in data:
        changes["session_totals"] = journal.encode(dict(data["totals"]))
    if changes:
        tx.update(Agent, live.agent_id, **changes)
