"""A report that no engine heard: taken from the output of the turn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from perles.agents.clis.json_lines import REPORT
from perles.engine.turns.unanswered_calls import checked
from perles.store import statements
from perles.store.schema.agents import Agent, Turn
from perles.store.transaction import Tx
from perles.tasks.reports import may_report, record

if TYPE_CHECKING:
    from perles.engine.turns.live import LiveTurn


def by_output(tx: Tx, agent: Agent, live: LiveTurn) -> None:
    """The report that a worker made and no engine answered, as its own output tells it.

    One that an engine refused is none: the worker was told why.
    """
    args = live.unanswered.report and checked(live.unanswered.report)
    if not args or not may_report(tx, agent):
        return
    about = {"workflow_id": live.workflow_id, "agent_id": agent.id, "kind": REPORT}
    turn = tx.need(Turn, live.turn_id)
    if tx.value(statements.COUNT_REFUSED, since=turn.created_at, **about):
        return
    record(tx, agent, args["summary"], args.get("exit_code"), None, heard="output")
    tx.run(statements.SETTLE_MESSAGES, turn_id_=turn.id, status_="done", now_=tx.now)
