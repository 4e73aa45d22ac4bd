"""What turns used: added to every total, and what of it was reserved."""

from typing import Any, Final

from perles.domain.bounds import MAX_TOTAL_COST, MAX_TOTAL_TOKENS
from perles.store.expressions import ColumnElement, bindparam, case, literal_column, select, update
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.resources import Lease, Totals
from perles.store.schema.workflows import Workflow
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.statements import IS_LIVE_TURN

USED_BY_TURNS: Final = Sql(
    select((Turn.tokens_in + Turn.tokens_out).label("tokens"), Turn.cost_usd)
    .join(Agent, Agent.id == Turn.agent_id)
    .where(
        Turn.workflow_id == WORKFLOW_ID, Agent.role == bindparam("role"), Turn.status == "succeeded"
    )
    .order_by(Turn.id.desc())
    .limit(bindparam("most"))
)
RESERVED_BY_TURNS: Final = Sql(
    select(
        Turn.workflow_id,
        Turn.tokens_reserved,
        Turn.cost_reserved,
        (Turn.tokens_in + Turn.tokens_out).label("tokens"),
        Turn.cost_usd,
    )
    .join(Lease, (Lease.agent_id == Turn.agent_id) & (Lease.kind == "ai_call"))
    .where(IS_LIVE_TURN)
)

ENDED_BY_ITSELF: Final = Sql(
    select(Turn.id)
    .where(
        Turn.agent_id == bindparam("agent_id"),
        Turn.status.in_(["succeeded", "failed"]),
        Turn.exit_code >= 0,
        Turn.tokens_in + Turn.tokens_out > 0,
    )
    .limit(1)
)
"""A turn that used tokens, and that nobody cut off: what its CLI tells at the end, it told."""


def _sum(column: Any, added: str, most: float) -> ColumnElement[Any]:
    """A total with more added to it, as long as it stays within its bound."""
    total = column + bindparam(added)
    return case((total > literal_column(str(most)), literal_column(str(most))), else_=total)


def _tokens(column: Any, added: str) -> ColumnElement[Any]:
    return _sum(column, added, MAX_TOTAL_TOKENS)


def _cost(column: Any, added: str = "cost") -> ColumnElement[Any]:
    return _sum(column, added, MAX_TOTAL_COST)


ADD_USAGE_TO_TOTALS: Final = Sql(
    update(Totals).values(tokens=_tokens(Totals.tokens, "tokens"), cost_usd=_cost(Totals.cost_usd))
)


def _add_usage_to(model: type[Turn] | type[Agent]) -> Sql:
    return Sql(
        update(model)
        .where(model.id == bindparam("id_"))
        .values(
            tokens_in=_tokens(model.tokens_in, "tokens_in"),
            tokens_out=_tokens(model.tokens_out, "tokens_out"),
            tokens_cached=_tokens(model.tokens_cached, "tokens_cached"),
            cost_usd=_cost(model.cost_usd),
            updated_at=bindparam("now_"),
        )
    )


ADD_USAGE_TO_TURN: Final = _add_usage_to(Turn)
ADD_USAGE_TO_AGENT: Final = _add_usage_to(Agent)
ADD_USAGE_TO_WORKFLOW: Final = Sql(
    update(Workflow)
    .where(Workflow.id == bindparam("id_"))
    .values(
        tokens_used=_tokens(Workflow.tokens_used, "tokens"),
        cost_usd=_cost(Workflow.cost_usd),
        updated_at=bindparam("now_"),
    )
)
