"""start, pause, resume, stop, complete, fail: the supervisor does the work."""

from typing import Any

from perles.domain.commands import Complete, Fail, Pause, Resume, Start, Stop
from perles.domain.states import WORKFLOW, WorkflowTrigger
from perles.engine.context import Context
from perles.engine.services import Services
from perles.executor.contract import SPENDING_GRACE, STOP_GRACE
from perles.store.schema.engine import Command
from perles.store.schema.workflows import Workflow

Result = dict[str, Any]
Ending = Complete | Fail | Stop


async def start(services: Services, command: Command, asked: Start) -> Result:
    """Start a pending workflow, or let it wait for room."""
    return await services.supervisor.start(_workflow_id(command), wait=not asked.no_wait)


async def pause(services: Services, command: Command, asked: Pause) -> Result:
    """Pause a running workflow; no work is lost."""
    if _is(services, command, "paused") and command.status == "running":
        return {"status": "paused"}  # an engine that died had done it already
    grace = SPENDING_GRACE if asked.now is True else STOP_GRACE
    return await services.supervisor.pause(_workflow_id(command), reason=asked.reason, grace=grace)


async def resume(services: Services, command: Command, asked: Resume) -> Result:
    """Go on with a paused workflow, or let it wait for room."""
    if _is(services, command, "running") and command.status == "running":
        return {"status": "running"}
    return await services.supervisor.resume(_workflow_id(command), wait=not asked.no_wait)


async def stop(services: Services, command: Command, asked: Stop) -> Result:
    """End a workflow for good, whatever it does; `force` leaves agents no time."""
    return await _end(services, command, asked, "stop", 0.0 if asked.force else asked.grace)


async def complete(services: Services, command: Command, asked: Complete) -> Result:
    """End a workflow whose work is done."""
    return await _end(services, command, asked, "complete")


async def fail(services: Services, command: Command, asked: Fail) -> Result:
    """End a workflow that cannot be finished."""
    grace = SPENDING_GRACE if asked.now is True else STOP_GRACE
    return await _end(services, command, asked, "fail", grace)


async def _end(
    services: Services,
    command: Command,
    asked: Ending,
    trigger: WorkflowTrigger,
    grace: float = STOP_GRACE,
) -> Result:
    workflow_id = _workflow_id(command)
    state = services.reader.need(Workflow, workflow_id).state
    if state in WORKFLOW.terminal and command.status == "running":
        return {"status": state}
    at_once = command.source in ("user", "agent") or asked.now is True
    try:
        return await services.supervisor.end(
            workflow_id,
            trigger,
            reason=asked.reason,
            grace=grace,
            patient=not at_once,
            command=command.id,
            at_once=isinstance(asked, Stop) and asked.force,
        )
    finally:
        services.closing.discard(workflow_id)


def _workflow_id(command: Command) -> str:
    assert command.workflow_id is not None
    return command.workflow_id


def _is(context: Context, command: Command, state: str) -> bool:
    return context.reader.need(Workflow, _workflow_id(command)).state == state
