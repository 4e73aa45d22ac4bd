"""report_implementation_complete: a worker says how its task went."""

from typing import Any

from perles.domain.errors import ToolError
from perles.engine.commands.base import ToolCall
from perles.store import statements
from perles.store.schema.agents import Turn
from perles.tasks import reports


def handle(call: ToolCall) -> dict[str, Any]:
    """Record the report, tell the coordinator. The worker is working until its process ends."""
    tx, agent = call.tx, call.agent
    if agent.task_id is None or agent.phase not in reports.REPORTING:
        raise ToolError(f"cannot report: you have no task in hand (your phase is {agent.phase})")
    exit_code = call.args.get("exit_code")
    turn = tx.first(Turn, reports.OPEN_TURN_OF, agent_id=agent.id)
    # What the task printed stands in its file: no agent can tell us otherwise.
    printed = None if exit_code is None else call.outside.printed
    task = reports.record(tx, agent, call.args["summary"], exit_code, printed)
    if turn is not None:
        # Whatever becomes of the process now, nobody is to be asked for this again.
        tx.run(statements.SETTLE_MESSAGES, turn_id_=turn.id, status_="done", now_=tx.now)
    return {"status": "reported", "task_id": task.key}
