"""approve, deny: the person answers a task that waits for them."""

from collections.abc import Callable
from typing import Any

from perles.domain.commands import Answer, Approve, Deny
from perles.domain.errors import WrongStateError
from perles.engine.commands.base import origin_of
from perles.engine.context import Context
from perles.store.schema.engine import Command
from perles.store.transaction import Tx
from perles.tasks import answers

Result = dict[str, Any]


async def approve(context: Context, command: Command, asked: Approve) -> Result:
    """Approve a task. Raises `NotFoundError`, `WrongStateError`."""
    workflow_id, by = command.workflow_id or "", origin_of(command)

    def say_yes(tx: Tx) -> Result:
        return answers.approve(tx, workflow_id, asked.task, asked.message, by=by)

    return await _answer(context, command, asked, say_yes)


async def deny(context: Context, command: Command, asked: Deny) -> Result:
    """Deny a task, with the reason. Raises `NotFoundError`, `WrongStateError`."""
    workflow_id, by = command.workflow_id or "", origin_of(command)

    def say_no(tx: Tx) -> Result:
        return answers.deny(tx, workflow_id, asked.task, asked.message, by=by)

    return await _answer(context, command, asked, say_no)


async def _answer(
    context: Context, command: Command, asked: Answer, answer: Callable[[Tx], Result]
) -> Result:
    try:
        return await context.writer.write(answer)
    except WrongStateError as error:
        if command.status == "running" and error.state in _DONE[asked.kind]:
            return {
                "status": "answered",
                "task": asked.task,
            }  # an engine that died had done it already
        raise


_DONE = {"approve": ("done", "approved", "committing"), "deny": ("failed",)}
