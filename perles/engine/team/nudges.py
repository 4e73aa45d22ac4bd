"""Nudges: an idle agent gets the posts that concern it, once, in one message.

Whom a post concerns stands in rows (`perles.fabric.audience`), and so does what an agent was
told: an engine that dies forgets nothing but how long it has waited. A nudge waits until nothing
more came for a second, and for five seconds at most. An agent in a turn is told with its next one;
one that is paused, stopped or failed is told when it is ready again.
"""

from collections.abc import Sequence
from typing import Any, Final

from perles.domain.quoting import in_line, quoted
from perles.domain.records import dataclass
from perles.engine.context import Context
from perles.fabric import inbox, messages
from perles.store.expressions import func, select
from perles.store.schema.agents import Agent
from perles.store.schema.fabric import InboxItem
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.transaction import Tx

CALM: Final = 1.0
"""Seconds without another post after which an agent is told."""
PATIENCE: Final = 5.0
"""Seconds after the first post until its readers are told in any case."""
MAX_QUOTED: Final = 5
"""Posts whose texts stand in the message itself."""
MAX_TEXT: Final = 1000
"""Characters of each of them."""
MAX_LISTED: Final = 200
"""Posts that are named by their ids in one channel."""
WAY_ON: Final = (
    "fabric_inbox has them all; answer with fabric_reply where an answer is needed, and "
    "fabric_ack what you have dealt with."
)

_untold = (
    select(InboxItem.agent_id, func.max(InboxItem.post_id).label("newest"))
    .where(InboxItem.told_at.is_(None))
    .group_by(InboxItem.agent_id)
    .subquery()
)
PENDING: Final = Sql(
    select(_untold.c.agent_id, _untold.c.newest, Agent.status, Agent.workflow_id)
    .join(Agent, Agent.id == _untold.c.agent_id)
    .join(Workflow, Workflow.id == Agent.workflow_id)
    .where(Workflow.state == "running", Agent.status.in_(["ready", "working"]))
    .order_by(_untold.c.agent_id)
)


@dataclass(slots=True)
class _Timer:
    """Since when something waits for an agent, and when the newest post was seen."""

    first: float
    last: float
    newest: int

    def due(self) -> float:
        return min(self.last + CALM, self.first + PATIENCE)


class Nudges:
    """The timers of one engine. Times are those of `Clock.elapsed`."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._timers: dict[int, _Timer] = {}
        self._next: float | None = None

    async def look(self) -> int:
        """Tell the idle agents whose time has come; how many."""
        context, now = self._context, self._context.database.clock.elapsed()
        rows = context.reader.rows(PENDING)
        idle = [row["agent_id"] for row in rows if self._is_idle(row)]
        self._timers = {row["agent_id"]: self._timer(row, now) for row in rows}
        due = [id for id in idle if self._timers[id].due() <= now]
        waiting = [self._timers[id].due() for id in idle if id not in due]
        self._next = min(waiting, default=None)
        if due:
            await context.writer.write(lambda tx: _nudge(tx, context, due))
        return len(due)

    def seconds_left(self) -> float | None:
        """How long until somebody is to be told; None while nobody is."""
        if self._next is None:
            return None
        return max(0.0, self._next - self._context.database.clock.elapsed())

    def _is_idle(self, row: Any) -> bool:
        return row["status"] == "ready" and self._context.is_open(row["workflow_id"])

    def _timer(self, row: Any, now: float) -> _Timer:
        timer = self._timers.get(row["agent_id"])
        if timer is None:
            return _Timer(now, now, row["newest"])
        if timer.newest != row["newest"]:
            timer.newest, timer.last = row["newest"], now
        return timer


def tell(tx: Tx, context: Context, agent: Agent) -> bool:
    """Queue one message of all that the agent is still to be told of; whether there was any."""
    rows = tx.rows(inbox.UNTOLD, agent_id_=agent.id)
    if not rows:
        return False
    workflow = tx.need(Workflow, agent.workflow_id)
    has_tools = context.provider_of(agent, workflow).has_mcp
    messages.post(tx, agent, sender="perles", kind="system", body=_body(rows, has_tools))
    tx.run(inbox.SET_ALL_TOLD, agent_id_=agent.id, now_=tx.now)
    return True


def _nudge(tx: Tx, context: Context, agent_ids: Sequence[int]) -> None:
    """Tell the agents that are still idle."""
    for agent_id in agent_ids:
        agent = tx.need(Agent, agent_id)
        if agent.status == "ready" and tx.need(Workflow, agent.workflow_id).state == "running":
            tell(tx, context, agent)


def _body(rows: Sequence[Any], has_tools: bool) -> str:
    """All channels and all who posted there; the texts themselves where they are few."""
    by_channel: dict[str, list[Any]] = {}
    for row in rows:
        by_channel.setdefault(row["slug"], []).append(row)
    lines = ["Posts in the channels concern you:"]
    for slug, found in by_channel.items():
        senders = ", ".join(dict.fromkeys(in_line(row["author"]) for row in found))
        ids = ", ".join(str(row["post_id"]) for row in found[:MAX_LISTED])
        more = f" and {len(found) - MAX_LISTED} more" if len(found) > MAX_LISTED else ""
        lines.append(f"#{slug}, by {senders}: {ids}{more}")
    if len(rows) <= MAX_QUOTED or not has_tools:
        lines += [_quoted(row) for row in rows[:MAX_LISTED]]
    if has_tools:
        lines.append(WAY_ON)
    return "\n".join(lines)


def _quoted(row: Any) -> str:
    text = row["body"]
    text = text if len(text) <= MAX_TEXT else f"{text[:MAX_TEXT]}… [cut]"
    return f"{row['post_id']}, {in_line(row['author'])} in #{row['slug']}:\n{quoted(text)}"
