"""report_implementation_complete: a worker says how its task went."""

from pathlib import Path
from typing import Any

from perles.agents.output import tail_of
from perles.domain.errors import ToolError
from perles.domain.states import PHASE
from perles.engine import mail, queries
from perles.engine.handlers.base import ToolCall
from perles.store import journal
from perles.store.schema import Task, Turn
from perles.store.transition import fire


def handle(call: ToolCall) -> dict[str, Any]:
    """Record the report, tell the coordinator. The worker is working until its process ends."""
    tx, agent = call.tx, call.agent
    turn = tx.first(Turn, queries.OPEN_TURN_OF, agent_id=agent.id)
    if agent.task_id is None or agent.phase not in ("implementing", "addressing_feedback"):
        raise ToolError(f"cannot report: you have no task in hand (your phase is {agent.phase})")
    task = tx.need(Task, agent.task_id)
    exit_code = call.args.get("exit_code")
    outputs = {"summary": call.args["summary"], "reported_attempt": task.attempt}
    if exit_code is not None and turn is not None:
        outputs["tail"] = tail_of(Path(turn.stdout_path))
    if turn is not None:
        # Whatever becomes of the process now, nobody is to be asked for this again.
        tx.run(queries.SETTLE_MESSAGES, turn_id_=turn.id, status_="done", now_=tx.now)
    tx.update(Task, task.id, exit_code=exit_code, outputs=journal.encode(outputs))
    fire(tx, PHASE, agent.id, "report")
    journal.append(
        tx,
        "task.reported",
        {"key": task.key, "exit_code": exit_code, "text": call.args["summary"]},
        workflow_id=agent.workflow_id,
        agent_id=agent.id,
        task_id=task.id,
    )
    how = "" if exit_code is None else f" (exit {exit_code})"
    body = f"{agent.name} reports on task {task.key}{how}: {call.args['summary']}"
    mail.tell_coordinator(tx, agent.workflow_id, sender=agent.name, kind="worker", body=body)
    return {"status": "reported", "task_id": task.key}
