"""ask_user: an agent asks the person, and goes on when the answer comes as a message."""

from typing import Any, Final

from perles.engine.commands.base import ToolCall
from perles.store.schema.agents import Turn
from perles.store.schema.tasks import Task
from perles.tasks import ask_user
from perles.tasks.reports import OPEN_TURN_OF

NOTE: Final = (
    "the user was told; the answer comes as a message, it may take long: go on with what needs no "
    "answer, or end your turn"
)


def handle(call: ToolCall) -> dict[str, Any]:
    """Put the question into the person's inbox. Raises `ToolError` beyond the bounds."""
    turn = call.tx.first(Turn, OPEN_TURN_OF, agent_id=call.agent.id)
    number = ask_user.ask(
        call.tx,
        call.agent,
        call.args["question"],
        options=list(dict.fromkeys(call.args.get("options") or ())),
        default=call.args.get("default"),
        task=_task(call),
        turn_id=None if turn is None else turn.id,
    )
    return {"status": "asked", "question": number, "note": NOTE}


def _task(call: ToolCall) -> Task | None:
    """The task that is named, else the one in hand."""
    if call.args.get("task_id"):
        return call.task()
    return None if call.agent.task_id is None else call.tx.get(Task, call.agent.task_id)
