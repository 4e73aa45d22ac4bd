"""A turn's account: what its CLI tells of usage, as what is to be added to the totals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Final

from perles.agents.provider import AgentEvent
from perles.config.model import ResourcePolicy
from perles.engine.resources import budgets
from perles.store.events import journal
from perles.store.schema.agents import Turn
from perles.store.transaction import Tx

if TYPE_CHECKING:
    from perles.engine.turns.live import LiveTurn

TOKENS: Final = ("tokens_in", "tokens_out", "tokens_cached")
CLOSE: Final = 0.2
"""How far money that is told may be from the price of the tokens, as a share of it."""
LEAST_USD: Final = 0.0005
"""Less money than this is too little to wonder about."""
_OURS: Final = ("totals", "of_turn", "settled", "list_usd", "cost_usd", *TOKENS)


class Account:
    """Usage of one turn within one transaction. `spent` is what was added by it."""

    def __init__(self, tx: Tx, policy: ResourcePolicy, live: LiveTurn) -> None:
        self._tx, self._policy, self._live = tx, policy, live
        self.spent = budgets.Usage()
        self._turn: Turn | None = None

    def add(self, event: AgentEvent) -> dict[str, Any]:
        """Count a piece of usage, and journal what is new of it; the agent's columns it sets."""
        data = event.data
        new = self._new(data) if data.get("of_turn") else dict(data)
        self._look_at_money(data)
        cost = budgets.cost_of(new, self._live.priced_by, self._policy.prices)
        self.spent.add(new, cost)
        shown = {name: value for name, value in data.items() if name not in _OURS}
        numbers = {name: new[name] for name in (*TOKENS, "cost_usd") if new.get(name)}
        if numbers or not data.get("of_turn"):
            self._journal("agent.usage", {**numbers, **shown})
        return _measured(data)

    def _new(self, data: Mapping[str, Any]) -> dict[str, Any]:
        """What the turn's own total has beyond what is counted."""
        if self._turn is None:
            self._turn = self._tx.need(Turn, self._live.turn_id)
        turn, spent = self._turn, self.spent
        have: dict[str, float] = {
            "tokens_in": turn.tokens_in + spent.tokens_in,
            "tokens_out": turn.tokens_out + spent.tokens_out,
            "tokens_cached": turn.tokens_cached + spent.tokens_cached,
            "cost_usd": turn.cost_usd + spent.cost,
        }
        new = {name: data.get(name, 0) - have[name] for name in have}
        if data.get("cost_usd") is None:
            del new["cost_usd"]
        if data.get("settled"):
            return new
        return {name: max(0, value) for name, value in new.items()}

    def _look_at_money(self, data: Mapping[str, Any]) -> None:
        """Tell when the CLI's money and its tokens do not fit together."""
        told = float(data.get("cost_usd") or 0.0)
        if not data.get("settled") or not told:
            return
        names = self._live.priced_by
        tokens = {name: data.get(name, 0) for name in TOKENS}
        price = budgets.cost_of(tokens, names, self._policy.prices) or data.get("list_usd") or 0.0
        far = abs(told - price)
        if not price or far <= CLOSE * price or far < LEAST_USD:
            return
        payload = {"told_usd": round(told, 6), "tokens_usd": round(float(price), 6)}
        self._journal("agent.cost_differs", payload)

    def _journal(self, type: str, payload: dict[str, Any]) -> None:
        """An event, as long as the turn may have more: what was used is counted all the same."""
        live = self._live
        if not live.output.is_open:
            live.output.leave_out(0)
            return
        size = journal.append(
            self._tx,
            type,
            payload,
            workflow_id=live.workflow_id,
            agent_id=live.agent_id,
            turn_id=live.turn_id,
        )
        live.output.take(size)


def _measured(data: Mapping[str, Any]) -> dict[str, Any]:
    """The columns of an agent that a piece of its usage sets."""
    names = ("context_used", "context_window")
    changes: dict[str, Any] = {name: int(data[name]) for name in names if data.get(name)}
    if "totals" in data:
        changes["session_totals"] = journal.encode(dict(data["totals"]))
    return changes
