"""replace_worker, retire_worker and stop_worker: what the coordinator does with its workers.

A worker that works has a process, which no transaction can end: then the tool queues the
command that a person would give, and the coordinator is told when it was carried out.
"""

from typing import Any, Final

from perles.domain.commands import OnAgent, ReplaceAgent, RetireAgent, StopAgent
from perles.domain.errors import ToolError
from perles.engine.commands.base import ToolCall
from perles.engine.team import leaving, succession
from perles.engine.team.names import next_name
from perles.store.expressions import bindparam, select
from perles.store.schema.agents import Agent
from perles.store.schema.engine import Command
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.sqlite.backend import field_of
from perles.workflows.commands import append_by_agent

MAX_REASON: Final = 1000
"""Characters of a reason that are kept."""
_BY: Final = "the coordinator"
_LATER: Final = "its turn is ended first; you are told when it is done, so end your turn"
_UNDER_WAY: Final = Sql(
    select(Command.kind).where(
        Command.workflow_id == WORKFLOW_ID,
        Command.kind.like("agent.%"),
        Command.status.in_(["queued", "running"]),
        field_of(Command.args, "agent") == bindparam("name"),
    )
)


def replace(call: ToolCall) -> dict[str, Any]:
    """A fresh worker takes the place, the task and the mail of one. Raises `ToolError`."""
    worker = _worker(call, "replace")
    reason = _reason(call)
    if worker.status == "working":
        name = next_name(call.tx, call.workflow.id, worker.role)
        asked = ReplaceAgent(agent=worker.name, reason=reason, successor=name)
        return {**_submitted(call, worker, asked), "successor": name}
    why = f"{_BY} replaced it{f' ({reason})' if reason else ''}"
    fresh = succession.put_fresh(call.tx, call.context, worker.id, why=why)
    return {"status": "replaced", "worker_id": worker.name, "successor": fresh.name}


def retire(call: ToolCall) -> dict[str, Any]:
    """A worker goes for good; an unfinished task of it is ready again. Raises `ToolError`."""
    worker = _worker(call, "retire")
    reason = _reason(call)
    if worker.status == "working":
        return _submitted(call, worker, RetireAgent(agent=worker.name, reason=reason))
    note = leaving.retire(call.tx, worker, why=reason or f"by {_BY}", by=_BY)
    return _done("retired", worker, note)


def stop(call: ToolCall) -> dict[str, Any]:
    """A worker takes no turn any more, until a person resumes it. Raises `ToolError`."""
    worker, force = _worker(call, "stop"), bool(call.args.get("force"))
    if worker.status == "stopped":
        raise ToolError(f"cannot stop {worker.name}: it is stopped already")
    if worker.phase == "committing" and not force:
        raise ToolError(
            f"cannot stop {worker.name}: it is committing; wait for its report, or give force=true"
        )
    if worker.status == "working":
        asked = StopAgent(agent=worker.name, reason=_reason(call), force=force)
        return _submitted(call, worker, asked)
    return _done("stopped", worker, leaving.stop(call.tx, worker, by=_BY))


def _worker(call: ToolCall, step: str) -> Agent:
    """The worker, unless it is gone or something is done with it. Raises `ToolError`."""
    name = call.args["worker_id"]
    if name == call.agent.name or name == "coordinator":
        raise ToolError(
            f"cannot {step} {name}: only a person can; ask with notify_user for "
            f"perles agent {step} {call.workflow.id} coordinator"
        )
    worker = call.worker()
    if worker.status == "retired":
        raise ToolError(f"cannot {step} {name}: it is retired; query_worker_state shows who is not")
    row = call.tx.row(_UNDER_WAY, workflow_id=call.workflow.id, name=name)
    if row is not None:
        raise ToolError(f"cannot {step} {name}: {row['kind']} of it is under way; {_LATER}")
    return worker


def _reason(call: ToolCall) -> str:
    return str(call.args.get("reason") or "")[:MAX_REASON]


def _submitted(call: ToolCall, worker: Agent, asked: OnAgent) -> dict[str, Any]:
    append_by_agent(call.tx, call.agent, asked)
    return {"status": "submitted", "worker_id": worker.name, "note": _LATER}


def _done(status: str, worker: Agent, note: str) -> dict[str, Any]:
    done = {"status": status, "worker_id": worker.name}
    return {**done, "note": note.removeprefix("; ")} if note else done
