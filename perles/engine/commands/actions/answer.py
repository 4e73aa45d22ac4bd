"""approve, deny: the person answers a task that waits for them."""

from typing import Any

from perles.domain.errors import WrongStateError
from perles.engine.commands.base import origin_of
from perles.engine.context import Context
from perles.store.database import Tx
from perles.store.schema.engine import Command
from perles.tasks import answers

Args = dict[str, Any]


async def approve(context: Context, command: Command, args: Args) -> Args:
    """Approve a task. Raises `NotFoundError`, `WrongStateError`."""
    return await _answer(context, command, args, "approve")


async def deny(context: Context, command: Command, args: Args) -> Args:
    """Deny a task, with the reason. Raises `NotFoundError`, `WrongStateError`."""
    return await _answer(context, command, args, "deny")


async def _answer(context: Context, command: Command, args: Args, step: str) -> Args:
    workflow_id, key, text = command.workflow_id or "", args["task"], args["message"]
    by = origin_of(command)

    def answer(tx: Tx) -> Args:
        if step == "approve":
            return answers.approve(tx, workflow_id, key, text, by=by)
        return answers.deny(tx, workflow_id, key, text, by=by)

    try:
        return await context.writer.write(answer)
    except WrongStateError as error:
        if command.status == "running" and error.state == _DONE[step]:
            return {"status": "answered", "task": key}  # an engine that died had done it already
        raise


_DONE = {"approve": "done", "deny": "failed"}
