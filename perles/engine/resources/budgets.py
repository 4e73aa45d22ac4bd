"""Budgets of tokens and money: counted as usage arrives, kept by reservations, ended when used up.

A turn reserves what such turns of its workflow used so far, at the median, so that
parallel turns do not overrun together. A budget of 0 means none.
"""

from __future__ import annotations

import statistics
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, Protocol

from perles.agents.pricing import price_of
from perles.config.model import Price, ResourcePolicy
from perles.domain.bounds import MAX_TOTAL_COST, MAX_TOTAL_TOKENS
from perles.domain.commands import from_mapping
from perles.domain.errors import LimitReachedError
from perles.domain.records import dataclass
from perles.store import usage as store_usage
from perles.store.events import journal
from perles.store.expressions import select
from perles.store.reader import Reader
from perles.store.schema.engine import Command
from perles.store.schema.resources import Totals
from perles.store.schema.workflows import Workflow
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx
from perles.workflows.commands import append_by_engine

WARN_AT: Final = 0.8
WAY_ON: Final = "raise token_budget or cost_budget in the configuration, then perles config reload"
TURNS_LOOKED_AT: Final = 20
"""The newest turns that an estimate is made from."""

NEXT_ENDING: Final = Sql(
    select(Command.id).where(
        Command.workflow_id == WORKFLOW_ID,
        Command.kind.in_(["complete", "fail", "pause", "stop"]),
        Command.status.in_(["queued", "running"]),
    )
)


class Spender(Protocol):
    """A turn, as far as what it uses is counted."""

    @property
    def turn_id(self) -> int:
        """Its id, of which every total of it is a part."""

    @property
    def agent_id(self) -> int:
        """The agent whose turn it is."""

    @property
    def workflow_id(self) -> str:
        """The workflow whose budgets it draws on."""


class Spent(NamedTuple):
    """What was used."""

    tokens: int
    cost: float


Reservation = Spent
NOTHING: Final = Reservation(0, 0.0)


@dataclass(slots=True)
class Usage:
    """What a piece of a turn's output says was used, added up."""

    tokens_in: int = 0
    tokens_out: int = 0
    tokens_cached: int = 0
    cost: float = 0.0

    def add(self, usage: Mapping[str, Any], cost: float) -> None:
        """Add one usage line; every sum ends at what a total may be."""
        self.tokens_in = _sum(self.tokens_in, usage.get("tokens_in"))
        self.tokens_out = _sum(self.tokens_out, usage.get("tokens_out"))
        self.tokens_cached = _sum(self.tokens_cached, usage.get("tokens_cached"))
        self.cost = min(self.cost + cost, MAX_TOTAL_COST)

    @property
    def spent(self) -> Spent:
        """What counts against budgets."""
        return Spent(self.tokens_in + self.tokens_out, self.cost)


def _sum(before: int, more: int | None) -> int:
    return min(before + int(more or 0), MAX_TOTAL_TOKENS)


class Meter(NamedTuple):
    """One budget: what it limits, for whom, how much is used, and how much there is."""

    what: str
    scope: str
    used: float
    limit: float

    @property
    def reason(self) -> str:
        """Why a workflow ends that used it up."""
        return f"{'' if self.scope == 'workflow' else 'global '}{self.what} budget exhausted"

    @property
    def is_used_up(self) -> bool:
        """Whether nothing is left."""
        return self.used >= self.limit

    def of(self, spent: Spent) -> float:
        """The part of `spent` that it measures."""
        return spent.tokens if self.what == "token" else spent.cost


def cost_of(
    usage: Mapping[str, Any], names: Sequence[str | None], prices: Mapping[str, Price]
) -> float:
    """What usage cost in USD: as its agent says, else by the price table; 0 where neither does.

    `names` are the model and the provider, by which prices are looked up.
    """
    if usage.get("cost_usd") is not None:
        return float(usage["cost_usd"])
    price = price_of(prices, (usage.get("model"), *names))
    if price is None:
        return 0.0
    cached = int(usage.get("tokens_cached", 0))
    tokens_in, tokens_out = int(usage.get("tokens_in", 0)), int(usage.get("tokens_out", 0))
    return (tokens_in * price.input + tokens_out * price.output + cached * price.cached) / 1_000_000


def count(tx: Tx, policy: ResourcePolicy, spender: Spender, usage: Usage) -> None:
    """Add what a turn used to every total; warn at 80 %, and end the workflow at 100 %."""
    spent = usage.spent
    if not spent.tokens and not spent.cost:
        return
    workflow_id, turn_id = spender.workflow_id, spender.turn_id
    parts = {
        "tokens_in": usage.tokens_in,
        "tokens_out": usage.tokens_out,
        "tokens_cached": usage.tokens_cached,
        "cost": usage.cost,
    }
    tx.run(store_usage.ADD_USAGE_TO_TURN, id_=turn_id, now_=tx.now, **parts)
    tx.run(store_usage.ADD_USAGE_TO_AGENT, id_=spender.agent_id, now_=tx.now, **parts)
    values = {"tokens": spent.tokens, "cost": spent.cost}
    tx.run(store_usage.ADD_USAGE_TO_WORKFLOW, id_=workflow_id, now_=tx.now, **values)
    tx.run(store_usage.ADD_USAGE_TO_TOTALS, **values)
    workflow = tx.need(Workflow, workflow_id)
    for meter in _meters(tx, policy, workflow):
        before = meter._replace(used=meter.used - meter.of(spent))
        if before.used < meter.limit * WARN_AT <= meter.used:
            _tell(tx, "resource.budget_warning", meter, workflow_id, turn_id)
        if meter.is_used_up:
            if not before.is_used_up:
                _tell(tx, "resource.budget_exhausted", meter, workflow_id, turn_id)
            _end(tx, policy, workflow, meter.reason)


def room(
    reader: Reader, policy: ResourcePolicy, workflow: Workflow, role: str
) -> Reservation | None:
    """What to reserve for a turn of this role; None when it must wait for others to settle.

    A turn that is alone may use what is left, however little.
    """
    meters = list(_meters(reader, policy, workflow))
    if not meters:
        return NOTHING
    estimate = _estimate(reader, workflow.id, role)
    for meter in meters:
        live, reserved = _outstanding(reader, meter, workflow.id)
        fits = meter.used + reserved + meter.of(estimate) <= meter.limit
        if meter.is_used_up or (live and not fits):
            return None
    return estimate


def usd_left(reader: Reader, policy: ResourcePolicy, workflow: Workflow) -> float | None:
    """What the budgets of money leave of themselves, in USD; None where there is none."""
    own = [meter for meter in _meters(reader, policy, workflow) if meter.what == "cost"]
    return min((max(0.0, meter.limit - meter.used) for meter in own), default=None)


def has_money(policy: ResourcePolicy, workflow: Workflow) -> bool:
    """Whether a budget in USD holds for the workflow: its own, or that of all workflows."""
    return bool(workflow.cost_budget or policy.cost_budget)


def pause_blind(tx: Tx, workflow: Workflow, why: str) -> None:
    """Queue the pause of a workflow whose budget in USD cannot be kept: it may go on later."""
    if workflow.state != "running" or tx.row(NEXT_ENDING, workflow_id=workflow.id):
        return
    asked = from_mapping("pause", {"reason": f"the cost budget cannot be kept: {why}", "now": True})
    append_by_engine(tx, workflow.id, asked)


def is_all_used_up(reader: Reader, policy: ResourcePolicy) -> bool:
    """Whether a budget of all workflows together is used up: no agent is called any more."""
    return any(meter.is_used_up for meter in _global_meters(reader, policy))


def need_own(reader: Reader, policy: ResourcePolicy, workflow: Workflow) -> None:
    """`need_some` of the workflow's own budgets, for which no waiting helps."""
    own = (meter for meter in _meters(reader, policy, workflow) if meter.scope == "workflow")
    _need(own, workflow.id)


def need_some(reader: Reader, policy: ResourcePolicy, workflow: Workflow) -> None:
    """Raise `LimitReachedError` when a budget of the workflow, or the global one, is used up."""
    _need(_meters(reader, policy, workflow), workflow.id)


def _need(meters: Iterable[Meter], workflow_id: str) -> None:
    for meter in meters:
        if meter.is_used_up:
            used = f"{meter.used:g} of {meter.limit:g}"
            unit = "tokens" if meter.what == "token" else "USD"
            way_on = (
                f"perles set {workflow_id} --{meter.what}-budget N raises it"
                if meter.scope == "workflow"
                else f"raise {meter.what}_budget in the configuration"
            )
            raise LimitReachedError(f"{meter.reason} ({used} {unit}); {way_on}")


def _meters(reader: Reader, policy: ResourcePolicy, workflow: Workflow) -> Iterator[Meter]:
    """The budgets that hold for a workflow."""
    if workflow.token_budget:
        yield Meter("token", "workflow", workflow.tokens_used, workflow.token_budget)
    if workflow.cost_budget:
        yield Meter("cost", "workflow", workflow.cost_usd, workflow.cost_budget)
    yield from _global_meters(reader, policy)


def _global_meters(reader: Reader, policy: ResourcePolicy) -> Iterator[Meter]:
    if policy.token_budget or policy.cost_budget:
        totals = reader.need(Totals, 1)
        if policy.token_budget:
            yield Meter("token", "all", totals.tokens, policy.token_budget)
        if policy.cost_budget:
            yield Meter("cost", "all", totals.cost_usd, float(policy.cost_budget))


def _estimate(reader: Reader, workflow_id: str, role: str) -> Reservation:
    values = {"workflow_id": workflow_id, "role": role, "most": TURNS_LOOKED_AT}
    found = reader.rows(store_usage.USED_BY_TURNS, **values)
    if not found:
        return NOTHING
    tokens = statistics.median(row["tokens"] for row in found)
    return Reservation(int(tokens), float(statistics.median(row["cost_usd"] for row in found)))


def _outstanding(reader: Reader, meter: Meter, workflow_id: str) -> tuple[int, float]:
    """How many turns live under this budget, and what they have reserved and not used yet."""
    live, reserved = 0, 0.0
    for row in reader.rows(store_usage.RESERVED_BY_TURNS):
        if meter.scope == "workflow" and row["workflow_id"] != workflow_id:
            continue
        live += 1
        kept = Spent(row["tokens_reserved"], row["cost_reserved"])
        used = Spent(row["tokens"], row["cost_usd"])
        reserved += max(0.0, meter.of(kept) - meter.of(used))
    return live, reserved


def _tell(tx: Tx, type: str, meter: Meter, workflow_id: str, turn_id: int) -> None:
    payload = {
        "budget": meter.what,
        "scope": meter.scope,
        "used": round(meter.used, 6),
        "limit": meter.limit,
        "percent": int(100 * meter.used / meter.limit),
    }
    journal.append(tx, type, payload, workflow_id=workflow_id, turn_id=turn_id)


def _end(tx: Tx, policy: ResourcePolicy, workflow: Workflow, reason: str) -> None:
    """Queue the command that ends or pauses the workflow at once, unless one is under way."""
    if workflow.state != "running" or tx.row(NEXT_ENDING, workflow_id=workflow.id):
        return
    asked = from_mapping(policy.on_budget_exhausted, {"reason": reason, "now": True})
    append_by_engine(tx, workflow.id, asked)
