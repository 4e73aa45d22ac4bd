"""What the person has answered: for an agent that goes on where the one that asked has ended."""

from typing import Final

from perles.domain.quoting import in_line, quoted
from perles.store.expressions import BindParameter, bindparam, or_, select
from perles.store.reader import Reader
from perles.store.schema.questions import Question
from perles.store.sql import WORKFLOW_ID, Sql

MAX_ANSWERS: Final = 10
"""Answers that are told, the latest."""
MAX_TEXT: Final = 2000
"""Characters of a question, and of an answer, that are told."""

_TASK_ID: Final[BindParameter[int]] = bindparam("task_id")
_ANSWERED: Final = Sql(
    select(Question)
    .where(
        Question.workflow_id == WORKFLOW_ID,
        Question.status == "answered",
        or_(Question.task_id == _TASK_ID, _TASK_ID.is_(None) & Question.task_id.is_(None)),
    )
    .order_by(Question.id.desc())
    .limit(MAX_ANSWERS)
)


def answers(reader: Reader, workflow_id: str, task_id: int | None) -> list[str]:
    """Lines on the questions about a task, or about none, and on what the person answered."""
    found = reader.all(Question, _ANSWERED, workflow_id=workflow_id, task_id=task_id)
    if not found:
        return []
    lines = ["What the user answered before:"]
    for one in reversed(found):
        lines += [quoted(f"{one.asked_by} asked: {in_line(one.text[:MAX_TEXT])}")]
        lines += [quoted(f"The answer: {(one.answer or '')[:MAX_TEXT]}")]
    return lines
