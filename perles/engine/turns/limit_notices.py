"""What a CLI tells of limits while its turn goes on: kept, and shown where people look."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import TYPE_CHECKING, Any, Final

from perles.agents.provider import AgentEvent, Kind
from perles.domain.clock import from_text, to_text
from perles.domain.explanations import NEAR
from perles.store.events import journal
from perles.store.schema.agents import Agent, ProviderLimit
from perles.store.transaction import Tx

if TYPE_CHECKING:
    from perles.engine.turns.live import LiveTurn

WORTH_SECONDS: Final = 1.0
"""A shorter wait of the CLI is not shown: it is over before anybody reads it."""
LONGEST_SECONDS: Final = 86_400.0
_WAITS: Final = frozenset({"rate_limited", "overloaded", "quota_exhausted"})
_WORK: Final = frozenset({Kind.TEXT, Kind.TOOL, Kind.USAGE, Kind.RESULT})


def heed(tx: Tx, live: LiveTurn, event: AgentEvent) -> dict[str, Any]:
    """The agent's columns that an event sets: a wait that begins, or one that is over."""
    if event.kind is Kind.LIMIT:
        _keep(tx, live, event.data["windows"])
        return {}
    if event.kind in _WORK:
        return {"held_until": None}
    if event.data.get("error_class") not in _WAITS:
        return {}
    seconds = min(float(event.data.get("again_in") or 0.0), LONGEST_SECONDS)
    if seconds < WORTH_SECONDS:
        return {}
    until = to_text(from_text(tx.now) + timedelta(seconds=seconds))
    payload = {
        "until": until,
        "error_class": event.data["error_class"],
        "provider": tx.need(Agent, live.agent_id).provider,
        "whole_provider": False,
        "text": event.text,
    }
    _tell(tx, live, "agent.rate_limited", payload)
    return {"held_until": until}


def _keep(tx: Tx, live: LiveTurn, windows: list[Mapping[str, Any]]) -> None:
    """A row a window; an event when one comes near its end."""
    provider = tx.need(Agent, live.agent_id).provider
    for window in windows:
        key = f"{provider}/{window['window']}"
        values = {"used": window["used"], "resets_at": window["resets_at"]}
        before = tx.get(ProviderLimit, key)
        was = before.used if before is not None and (before.resets_at or "") > tx.now else 0.0
        if before is None:
            tx.insert(ProviderLimit, id=key, provider=provider, window=window["window"], **values)
        else:
            tx.update(ProviderLimit, key, **values)
        if was < NEAR <= window["used"]:
            percent = round(100 * window["used"])
            payload = {"provider": provider, "window": window["window"], "percent": percent}
            _tell(tx, live, "provider.near_limit", {**payload, "until": window["resets_at"]})


def _tell(tx: Tx, live: LiveTurn, type: str, payload: dict[str, Any]) -> None:
    journal.append(
        tx,
        type,
        payload,
        workflow_id=live.workflow_id,
        agent_id=live.agent_id,
        turn_id=live.turn_id,
    )
