"""The end of a workflow whose `finally` tasks have not run: they run first, then it ends.

All other work is cut off. How the workflow ends is kept on its row meanwhile, so that the next
engine goes on with it. They have `FINALLY_SECONDS`; a second request for the end cuts them off.
"""

import time
from functools import partial
from typing import Any, Final, NamedTuple

from perles.domain.commands import Stop
from perles.domain.flow import SKIP, STOPPED, Decision
from perles.domain.states import OPEN_TASK_STATES, WorkflowState, WorkflowTrigger
from perles.engine import crash_points
from perles.engine.context import Context
from perles.engine.end_request import request_end
from perles.engine.turns.ending import Ending
from perles.engine.turns.runner import Turns
from perles.fabric import messages
from perles.store import statements
from perles.store.events import journal
from perles.store.expressions import select
from perles.store.reader import Reader
from perles.store.schema.agents import Agent, Message
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx
from perles.tasks import attempts, graph, questions

FINALLY_SECONDS: Final = 300.0
_WORDS: Final[dict[WorkflowTrigger, str]] = {"stop": "stopped", "fail": "failed"}
_ENDING: Final = Sql(
    select(Workflow.id, Workflow.ending).where(
        Workflow.state == "running", Workflow.ending.is_not(None)
    )
)
_FINALS: Final = Sql(
    select(Task.key)
    .where(
        Task.workflow_id == WORKFLOW_ID,
        Task.stage == 1,
        Task.status.in_([str(status) for status in OPEN_TASK_STATES]),
    )
    .order_by(Task.id)
)


class Planned(NamedTuple):
    """How a workflow ends once its last tasks are over; `command` is what asked for it."""

    trigger: WorkflowTrigger
    reason: str | None
    command: int | None


def planned(workflow: Workflow) -> Planned | None:
    """The end that a workflow is on its way to; None where it is not."""
    return None if workflow.ending is None else Planned(**journal.decode(workflow.ending))


def left(reader: Reader, workflow_id: str) -> list[str]:
    """The tasks that come last and are not over, by key."""
    return [row["key"] for row in reader.rows(_FINALS, workflow_id=workflow_id)]


def may_come_first(reader: Reader, workflow: Workflow, trigger: WorkflowTrigger) -> bool:
    """Whether tasks run before this end: the workflow had begun, and it has such tasks."""
    has_begun = workflow.state in (WorkflowState.RUNNING, WorkflowState.PAUSED)
    return trigger in _WORDS and has_begun and bool(left(reader, workflow.id))


async def cut_off_others(turns: Turns, context: Context, workflow_id: str, grace: float) -> None:
    """End the turns of all agents except workers on the tasks that come last."""
    lives = []
    for live in turns.of(workflow_id):
        task_id = context.reader.need(Agent, live.agent_id).task_id
        task = None if task_id is None else context.reader.get(Task, task_id)
        if task is None or not task.stage:
            lives.append(live)
    await turns.interrupt(lives, Ending("interrupt", "turn_ended"), grace=grace)


def begin(tx: Tx, workflow_id: str, end: Planned) -> list[str]:
    """Skip all that does not come last, and let the rest begin; which tasks these are."""
    word = _WORDS[end.trigger]
    _skip_others(tx, workflow_id, f"the workflow was {word} before it was done")
    reason = f"to be {word}: its finally tasks run first"
    tx.update(Workflow, workflow_id, ending=journal.encode(end._asdict()), reason=reason)
    graph.unblock(tx, workflow_id)
    questions.note_waiting(tx, workflow_id)
    keys = left(tx, workflow_id)
    payload = {"end": end.trigger, "reason": end.reason, "finally": keys}
    journal.append(tx, "workflow.ending", payload, workflow_id=workflow_id)
    body = (
        f"the workflow is to be {word}; only its finally tasks are left: {', '.join(keys)}. "
        "Have them done, then signal_workflow_complete"
    )
    messages.tell_coordinator(tx, workflow_id, sender="perles", kind="system", body=body)
    crash_points.at("finally.before-commit")
    return keys


def _skip_others(tx: Tx, workflow_id: str, why: str) -> None:
    agents = tx.all(Agent, statements.AGENTS_OF, workflow_id=workflow_id)
    tasks = [
        task
        for task in tx.all(Task, statements.TASKS_OF, workflow_id=workflow_id)
        if task.stage == 0 and task.status in OPEN_TASK_STATES
    ]
    skipped = {task.id for task in tasks}
    for task in tasks:
        attempts.take_from_worker(tx, task, why)
        graph.skip(tx, task.id, Decision(SKIP, why, task.key, STOPPED))
    for agent in agents:
        for message in tx.all(Message, statements.QUEUED_MESSAGES, agent_id=agent.id):
            if message.task_id in skipped:
                messages.drop(tx, message.id)


def told(context: Context, workflow_id: str) -> dict[str, Any]:
    """The answer to a request for the end, while the last tasks run."""
    keys = left(context.reader, workflow_id)
    first = f"its finally tasks run first ({', '.join(keys)})"
    if context.is_errand:
        reason = f"to end: {first}, and no engine runs; start one with perles serve"
    else:
        most = f"{FINALLY_SECONDS / 60:.0f}m"
        reason = f"ending: {first}, for at most {most}; asked again, it ends at once"
    return {"status": "waiting", "reason": reason, "finally": keys}


class Finals:
    """Ends workflows whose last tasks take too long."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._until: dict[str, float] = {}

    async def look(self) -> None:
        """Look once. The time is counted by each engine anew."""
        rows = self._context.reader.rows(_ENDING)
        now = time.monotonic()
        kept = {row["id"]: self._until.get(row["id"], now + FINALLY_SECONDS) for row in rows}
        late = [workflow_id for workflow_id, until in kept.items() if until <= now]
        self._until = kept
        for workflow_id in late:
            self._until[workflow_id] = now + FINALLY_SECONDS
            await self._context.writer.write(partial(_end_now, workflow_id=workflow_id))

    def seconds_left(self) -> float | None:
        """Until the next one takes too long; None without one."""
        if not self._until:
            return None
        return max(0.0, min(self._until.values()) - time.monotonic())


def _end_now(tx: Tx, workflow_id: str) -> None:
    request_end(tx, tx.need(Workflow, workflow_id), Stop(reason=None))
