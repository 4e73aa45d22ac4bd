"""A worker's report on its task: by tool, or by its last text where it cannot call tools."""

from __future__ import annotations

from typing import Any, Final, NamedTuple

from sqlalchemy import bindparam, select

from perles.config.home import Paths
from perles.domain.states import LIVE_TURNS, PHASE
from perles.executor.local.output import tail_of
from perles.fabric import messages, posts
from perles.fabric.posts import Author
from perles.store.database import Reader, Tx
from perles.store.events import journal
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.tasks import Task
from perles.store.sql import Sql
from perles.store.transition import fire

MAX_OUTPUT: Final = 16 * 1024
"""Characters of a task's output that later tasks may be given."""
REPORTING: Final = ("implementing", "addressing_feedback")

OPEN_TURN_OF: Final = Sql(
    select(Turn).where(
        Turn.agent_id == bindparam("agent_id"),
        Turn.status.in_([str(status) for status in LIVE_TURNS]),
    )
)


class Printed(NamedTuple):
    """What a task's command printed: its last lines for people, and what later tasks are given."""

    tail: list[str]
    output: str


def printed_by(reader: Reader, paths: Paths, agent_id: int) -> Printed | None:
    """What the agent's turn printed so far, for its report; None where it has no turn.

    It is read before the report's transaction: what an agent can reach must not hold that up.
    """
    turn = reader.first(Turn, OPEN_TURN_OF, agent_id=agent_id)
    if turn is None:
        return None
    path = paths.found(turn.stdout_path)
    return Printed(tail_of(path), "\n".join(tail_of(path, lines=1000, limit=MAX_OUTPUT)))


def record(
    tx: Tx,
    agent: Agent,
    summary: str,
    exit_code: int | None,
    printed: Printed | None,
    **more: Any,
) -> Task:
    """Record the report on the task that the agent has in hand, and tell the coordinator.

    `printed` is what the task's command printed, where it had one; `more` is told with the event.
    """
    assert agent.task_id is not None
    task = tx.need(Task, agent.task_id)
    outputs: dict[str, Any] = {"summary": summary, "reported_attempt": task.attempt}
    outputs["output"] = summary[:MAX_OUTPUT]
    if printed is not None:
        printed = Printed(*tx.secrets.mask(tx, task.workflow_id, tuple(printed)))
        outputs["tail"] = printed.tail
        if task.run:
            outputs["output"] = printed.output
    tx.update(Task, task.id, exit_code=exit_code, outputs=journal.encode(outputs))
    fire(tx, PHASE, agent.id, "report")
    tx.update(Agent, agent.id, silences=0)
    journal.append(
        tx,
        "task.reported",
        {"key": task.key, "exit_code": exit_code, "text": summary, **more},
        workflow_id=agent.workflow_id,
        agent_id=agent.id,
        task_id=task.id,
    )
    how = "" if exit_code is None else f" (exit {exit_code})"
    body = f"{agent.name} reports on task {task.key}{how}: {summary}"
    messages.tell_coordinator(tx, agent.workflow_id, sender=agent.name, kind="worker", body=body)
    kind = "completion" if exit_code in (None, 0) else "error"
    posts.in_task_thread(tx, task, Author.of(agent), f"reported{how}: {summary}", kind)
    return task


def has_report(task: Task) -> bool:
    """Whether the task's attempt has been reported on."""
    return bool(journal.decode(task.outputs).get("reported_attempt") == task.attempt)


def by_text(tx: Tx, agent: Agent, said: str) -> None:
    """The report of a worker without tools, whose process ended well: the last it said."""
    if agent.role == "worker" and agent.task_id is not None and agent.phase in REPORTING:
        record(tx, agent, said.strip() or "done, without a word", 0, None)
