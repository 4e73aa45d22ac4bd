"""start, pause, resume, stop, complete, fail: the supervisor does the work."""

from typing import Any

from perles.domain.states import WORKFLOW
from perles.engine.context import Context
from perles.engine.services import Services
from perles.store.events import journal
from perles.store.schema.engine import Command
from perles.store.schema.workflows import Workflow

Args = dict[str, Any]


async def start(services: Services, command: Command, args: Args) -> Args:
    """Start a pending workflow, or let it wait for room."""
    wait = not args.get("no_wait")
    return await services.supervisor.start(_workflow_id(command), wait=wait)


async def pause(services: Services, command: Command, args: Args) -> Args:
    """Interrupt a running workflow; nothing is lost."""
    if _is(services, command, "paused") and command.status == "running":
        return {"status": "paused"}  # an engine that died had done it already
    return await services.supervisor.pause(_workflow_id(command), reason=args.get("reason"))


async def resume(services: Services, command: Command, args: Args) -> Args:
    """Go on with a paused workflow, or let it wait for room."""
    if _is(services, command, "running") and command.status == "running":
        return {"status": "running"}
    wait = not args.get("no_wait")
    return await services.supervisor.resume(_workflow_id(command), wait=wait)


async def stop(services: Services, command: Command, args: Args) -> Args:
    """End a workflow for good, whatever it does; `force` leaves agents no time."""
    grace = 0.0 if args.get("force") else float(args.get("grace", 10.0))
    return await _end(services, command, "stop", args.get("reason"), grace)


async def complete(services: Services, command: Command, args: Args) -> Args:
    """End a workflow whose work is done."""
    return await _end(services, command, "complete", args.get("reason"))


async def fail(services: Services, command: Command, args: Args) -> Args:
    """End a workflow that cannot be finished."""
    return await _end(services, command, "fail", args.get("reason"))


async def _end(
    services: Services, command: Command, trigger: str, reason: str | None, grace: float = 10.0
) -> Args:
    workflow_id = _workflow_id(command)
    state = services.reader.need(Workflow, workflow_id).state
    if state in WORKFLOW.terminal and command.status == "running":
        return {"status": state}
    asked = command.source in ("user", "agent") or journal.decode(command.args).get("now")
    try:
        return await services.supervisor.end(
            workflow_id, trigger, reason=reason, grace=grace, patient=not asked
        )
    finally:
        services.closing.discard(workflow_id)


def _workflow_id(command: Command) -> str:
    assert command.workflow_id is not None
    return command.workflow_id


def _is(context: Context, command: Command, state: str) -> bool:
    return context.reader.need(Workflow, _workflow_id(command)).state == state
