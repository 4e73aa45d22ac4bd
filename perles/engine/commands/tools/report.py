"""report_implementation_complete: a worker says how its task, or the commit of it, went."""

from typing import Any

from perles.domain.errors import ToolError
from perles.domain.provider_choice import BUILTIN
from perles.engine.commands.base import ToolCall
from perles.store import statements
from perles.store.schema.agents import Agent, Turn
from perles.store.transaction import Tx
from perles.tasks import products, receipts, reports


def handle(call: ToolCall) -> dict[str, Any]:
    """Record the report, tell the coordinator. The worker is working until its process ends."""
    tx, agent = call.tx, call.agent
    if not reports.may_report(tx, agent):
        raise ToolError(
            f"cannot report: you have no task in hand that waits for a report (your phase is "
            f"{agent.phase})"
        )
    _check_commits(call)
    _check_files(call)
    exit_code = call.args.get("exit_code")
    # What the task printed stands in its file: no agent can tell us otherwise.
    printed = None if exit_code is None else call.outside.printed
    look = call.outside.look
    shown = receipts.told(look) if agent.phase == "committing" else ""
    left, summary = call.outside.left, call.args["summary"]
    task = reports.record(tx, agent, summary, exit_code, printed, shown=shown, left=left)
    receipts.keep(tx, task, look)
    settle_turn(tx, agent)
    return {"status": "reported", "task_id": task.key}


def _check_commits(call: ToolCall) -> None:
    """Raise `ToolError` for a commit that the worker names and git does not know of this task."""
    named = call.args.get("commits") or []
    look = call.outside.look
    if named and look is None:
        raise ToolError(
            "cannot report these commits: your folder was in no git repository when the task "
            "began; leave commits out"
        )
    if not named or look is None or look.error is not None:
        return
    folder = call.workflow.work_dir
    if look.missing:
        raise ToolError(
            f"cannot report commit {look.missing[0]!r}: it is not in the repository of "
            f"{folder}; git log shows the ids"
        )
    if look.earlier:
        raise ToolError(
            f"cannot report commit {look.earlier[0]!r}: it was there before your task began; "
            "name the commits that you made"
        )


def _check_files(call: ToolCall) -> None:
    """Raise `ToolError` for a file that the task must make and that is not there.

    One that runs a command cannot write it any more: its task fails when it is completed.
    """
    missing = call.outside.missing
    if missing and call.agent.phase != "committing" and call.agent.provider != BUILTIN:
        raise ToolError(
            f"cannot report the task as done: {products.said(missing)}; write it at exactly that "
            "path below your folder and report again, or give exit_code 1 and say why you cannot"
        )


def settle_turn(tx: Tx, agent: Agent) -> None:
    """Whatever becomes of the process now, nobody is to be asked again for what it was told."""
    turn = tx.first(Turn, reports.OPEN_TURN_OF, agent_id=agent.id)
    if turn is not None:
        tx.run(statements.SETTLE_MESSAGES, turn_id_=turn.id, status_="done", now_=tx.now)
