"""Questions of agents to the person, and their answers: each is answered once, from any door.

An answer comes to the agent as a message, whenever it is given; to its successor where it was
replaced, to the coordinator where nobody took its place.
"""

from typing import Any, Final

from perles.domain.errors import NotFoundError, ToolError, UsageError, WrongStateError
from perles.domain.quoting import quoted
from perles.domain.states import QUESTION
from perles.fabric import messages
from perles.store.events import journal
from perles.store.expressions import bindparam, func, select, update
from perles.store.reader import Reader
from perles.store.schema.agents import Agent
from perles.store.schema.questions import Question
from perles.store.schema.tasks import Task
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks.answers import Asker
from perles.tasks.questions import note_waiting

MAX_OPEN: Final = 5
"""Questions of one agent that may wait at a time."""
MAX_IN_TURN: Final = 10
"""Questions that an agent may ask in one turn, answered ones among them."""
MAX_ANSWER: Final = 100_000
"""Characters of an answer."""
_GONE: Final = ("failed", "retired")

_COUNT_OPEN: Final = Sql(
    select(func.count())
    .select_from(Question)
    .where(Question.agent_id == bindparam("agent_id"), Question.status == "open")
)
_COUNT_IN_TURN: Final = Sql(
    select(func.count()).select_from(Question).where(Question.turn_id == bindparam("turn_id"))
)
_OPEN_OF: Final = Sql(
    select(Question)
    .where(Question.workflow_id == WORKFLOW_ID, Question.status == "open")
    .order_by(Question.id)
)
_HAND_ON: Final = Sql(
    update(Question)
    .where(Question.agent_id == bindparam("old_"), Question.status == "open")
    .values(agent_id=bindparam("new_"), updated_at=bindparam("now_"))
)


def waits(reader: Reader, agent: Agent) -> bool:
    """Whether the agent waits for an answer of the person."""
    return bool(reader.value(_COUNT_OPEN, agent_id=agent.id))


def ask(
    tx: Tx,
    agent: Agent,
    text: str,
    *,
    options: list[str],
    default: str | None,
    task: Task | None,
    turn_id: int | None,
) -> int:
    """Put a question to the person; its number. Raises `ToolError` beyond the bounds."""
    _check_bounds(tx, agent, turn_id)
    about: dict[str, Any] = {
        "workflow_id": agent.workflow_id,
        "agent_id": agent.id,
        "task_id": None if task is None else task.id,
        "turn_id": turn_id,
    }
    number = tx.insert(
        Question,
        asked_by=agent.name,
        text=text,
        options=journal.encode(options),
        default_answer=default,
        **about,
    )
    payload = {"question": number, "agent": agent.name, "text": text}
    payload |= {"options": options, "default": default, "key": None if task is None else task.key}
    journal.append(tx, "question.asked", payload, **about)
    note_waiting(tx, agent.workflow_id)
    return number


def _check_bounds(tx: Tx, agent: Agent, turn_id: int | None) -> None:
    way_on = "end your turn: the answers come as messages"
    if int(tx.value(_COUNT_OPEN, agent_id=agent.id)) >= MAX_OPEN:
        raise ToolError(f"cannot ask: {MAX_OPEN} of your questions wait for an answer; {way_on}")
    if turn_id is not None and int(tx.value(_COUNT_IN_TURN, turn_id=turn_id)) >= MAX_IN_TURN:
        raise ToolError(f"cannot ask: you asked {MAX_IN_TURN} times in this turn; {way_on}")


def open_question(reader: Reader, workflow_id: str, number: int) -> Question:
    """The question of this number, which waits. Raises `NotFoundError`, `WrongStateError`."""
    found = reader.get(Question, number)
    if found is None or found.workflow_id != workflow_id:
        raise NotFoundError("question", str(number), f"perles questions {workflow_id} shows all")
    if found.status != "open":
        raise WrongStateError("question", str(number), found.status, "answer")
    return found


def answer(tx: Tx, workflow_id: str, number: int, text: str, *, by: Asker = None) -> dict[str, Any]:
    """Give the person's answer to who asked. Raises `NotFoundError`, `WrongStateError`."""
    question = open_question(tx, workflow_id, number)
    text = said(question, text)
    changes = {"answer": text, "answered_at": tx.now, "answered_by": journal.encode(by)}
    payload = {"question": number, "text": text, "by": by}
    fire(tx, QUESTION, number, "answer", changes=changes, payload=payload)
    note_waiting(tx, workflow_id)
    agent = tx.need(Agent, question.agent_id)
    body = _letter(question, agent, text)
    if agent.status in _GONE:
        messages.tell_coordinator(tx, workflow_id, sender="user", kind="user", body=body)
    else:
        messages.post(tx, agent, sender="user", kind="user", body=body)
    return {"status": "answered", "question": number, "agent": agent.name}


def said(question: Question, text: str) -> str:
    """The answer in full: an option by its number, the default where nothing was said.

    Raises `UsageError` for nothing where there is no default, and for a text that is too long.
    """
    text = text.strip() or (question.default_answer or "")
    if not text:
        raise UsageError(f"cannot answer question {question.id} with nothing: give a text")
    if len(text) > MAX_ANSWER:
        raise UsageError(f"cannot answer with over {MAX_ANSWER} characters; name a file instead")
    options: list[str] = journal.decode(question.options)
    if text.isascii() and text.isdigit() and text not in options and len(text) < 4:
        return options[int(text) - 1] if 0 < int(text) <= len(options) else text
    return text


def _letter(question: Question, agent: Agent, text: str) -> str:
    who = "you" if question.asked_by == agent.name and agent.status not in _GONE else ""
    asked = f"{who or question.asked_by} asked (question {question.id}):"
    return f"{asked}\n{quoted(question.text)}\nThe answer:\n{text}"


def hand_on(tx: Tx, old: Agent, fresh: Agent) -> None:
    """The answers that an agent waits for come to the one that goes on instead."""
    tx.run(_HAND_ON, old_=old.id, new_=fresh.id, now_=tx.now)


def close_all(tx: Tx, workflow_id: str, why: str) -> None:
    """Nobody needs the answers any more."""
    for question in tx.all(Question, _OPEN_OF, workflow_id=workflow_id):
        payload = {"question": question.id, "reason": why}
        fire(tx, QUESTION, question.id, "close", payload=payload)
