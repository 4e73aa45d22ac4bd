"""answer: the person answers a question of an agent."""

from typing import Any

from perles.domain.commands import AnswerQuestion
from perles.engine.commands.base import once, origin_of
from perles.engine.context import Context
from perles.store.schema.engine import Command
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.tasks import ask_user


async def answer(context: Context, command: Command, asked: AnswerQuestion) -> dict[str, Any]:
    """Give the answer to who asked. Raises `NotFoundError`, `UsageError`, `WrongStateError`."""
    workflow_id, by = command.workflow_id or "", origin_of(command)

    def give(tx: Tx) -> dict[str, Any]:
        asked.check_state(tx.need(Workflow, workflow_id).state, workflow_id)
        return ask_user.answer(tx, workflow_id, asked.question, asked.text, by=by)

    return await once(context, command, give)
