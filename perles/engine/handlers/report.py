"""report_implementation_complete: a worker says how its task went."""

from pathlib import Path
from typing import Any

from perles.domain.errors import ToolError
from perles.engine import queries, reports
from perles.engine.handlers.base import ToolCall
from perles.store.schema import Turn


def handle(call: ToolCall) -> dict[str, Any]:
    """Record the report, tell the coordinator. The worker is working until its process ends."""
    tx, agent = call.tx, call.agent
    if agent.task_id is None or agent.phase not in reports.REPORTING:
        raise ToolError(f"cannot report: you have no task in hand (your phase is {agent.phase})")
    exit_code = call.args.get("exit_code")
    printed = None if exit_code is None else _printed(call)
    task = reports.record(tx, agent, call.args["summary"], exit_code, printed)
    return {"status": "reported", "task_id": task.key}


def _printed(call: ToolCall) -> Path | None:
    """What the task printed, in its file: no agent can tell us otherwise."""
    turn = call.tx.first(Turn, queries.OPEN_TURN_OF, agent_id=call.agent.id)
    return None if turn is None else Path(turn.stdout_path)
