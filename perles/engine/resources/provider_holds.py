"""Providers that are on hold: since when, on whose word, and when somebody looks again.

What one agent's CLI says holds all agents of its provider, also when it says too
much. So a long hold is looked at by one turn an hour: where that succeeds, or says
something else, the hold is over or moved. A person can lift it at once.
"""

from datetime import datetime, timedelta
from typing import Final

from perles.domain.clock import from_text, to_text
from perles.domain.errors import NotFoundError
from perles.store.events import journal
from perles.store.expressions import bindparam, delete, update
from perles.store.schema.agents import Agent, ProviderHold, Turn
from perles.store.sql import Sql
from perles.store.transaction import Tx

PROBE: Final = timedelta(hours=1)
"""How long nobody asks a provider that is on hold."""
MAX_REASON: Final = 500

_MOVE: Final = Sql(
    update(ProviderHold)
    .where(ProviderHold.provider == bindparam("provider_"))
    .values(
        until=bindparam("until"),
        probe_at=bindparam("probe_at"),
        said_by=bindparam("said_by"),
        reason=bindparam("reason"),
        updated_at=bindparam("now_"),
    )
)
_PROBED: Final = Sql(
    update(ProviderHold)
    .where(ProviderHold.provider == bindparam("provider_"))
    .values(probe_at=bindparam("probe_at"))
)
_DROP: Final = Sql(delete(ProviderHold).where(ProviderHold.provider == bindparam("provider_")))
_WAKE: Final = Sql(
    update(Agent)
    .where(Agent.provider == bindparam("provider_"), Agent.held_until.is_not(None))
    .values(held_until=None, updated_at=bindparam("now_"))
)


def hold(tx: Tx, agent: Agent, until: datetime, reason: str) -> datetime:
    """Hold the agent's provider; until when the agent itself is. The newest word counts."""
    look = min(until, from_text(tx.now) + PROBE)
    values = {
        "until": to_text(until),
        "probe_at": to_text(look),
        "said_by": f"{agent.name} of {agent.workflow_id}",
        "reason": reason[:MAX_REASON],
    }
    if tx.get(ProviderHold, agent.provider) is None:
        tx.insert(ProviderHold, provider=agent.provider, **values)
    else:
        tx.run(_MOVE, provider_=agent.provider, now_=tx.now, **values)
    return look


def forbids(tx: Tx, agent: Agent) -> bool:
    """Whether no turn of the agent may begin; the one that may look takes its hour with it."""
    found = tx.get(ProviderHold, agent.provider)
    if found is None or found.until <= tx.now:
        return False
    if (found.probe_at or found.until) > tx.now:
        return True
    look = min(from_text(found.until), from_text(tx.now) + PROBE)
    tx.run(_PROBED, provider_=agent.provider, probe_at=to_text(look))
    payload = {"provider": agent.provider, "until": found.until}
    journal.append(tx, "provider.probed", payload, workflow_id=agent.workflow_id, agent_id=agent.id)
    return False


def succeeded(tx: Tx, agent: Agent, turn: Turn) -> None:
    """A turn that began during the hold has succeeded: there is no reason for it any more."""
    found = tx.get(ProviderHold, agent.provider)
    if found is not None and found.until > tx.now and (turn.started_at or "") > found.updated_at:
        _lift(tx, found, f"a turn of {agent.name} succeeded")


def resume(tx: Tx, provider: str) -> str:
    """A person lifts the hold; what was said. Raises `NotFoundError` where there is none."""
    found = tx.get(ProviderHold, provider)
    if found is None or found.until <= tx.now:
        raise NotFoundError("hold of provider", provider, "perles providers shows who is on hold")
    _lift(tx, found, "a person")
    return found.reason


def _lift(tx: Tx, found: ProviderHold, by: str) -> None:
    tx.run(_DROP, provider_=found.provider)
    tx.run(_WAKE, provider_=found.provider, now_=tx.now)
    payload = {"provider": found.provider, "until": found.until, "by": by}
    journal.append(tx, "provider.resumed", payload)
