"""The steps of recovery for one worker that is stuck while its workflow goes on.

The nudge goes to the coordinator, who can judge: a worker inside a turn hears nothing.
"""

from typing import Any, NamedTuple, Self

from perles.domain.errors import PerlesError
from perles.engine.context import Context
from perles.engine.health import queries
from perles.engine.health.ladder import doing
from perles.engine.health.rules import Finding
from perles.engine.services import Services
from perles.engine.supervision.replacement import replace
from perles.fabric import messages
from perles.store import statements
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx

NUDGE = (
    "{name} has given no sign for {silent:.0f} seconds (task {task}), and its processes do "
    "nothing, while the others go on. Look at it (query_worker_state) and decide: let it wait if "
    "it waits for something outside, or give its task up (mark_task_failed)."
)


class Worker(NamedTuple):
    """A worker that is stuck, in the turn that hangs."""

    agent_id: int
    name: str
    workflow_id: str
    turn_id: int
    task_id: int | None
    task: str | None
    command: str | None
    active_at: str
    started_at: str | None
    silent: float

    @classmethod
    def of(cls, row: Any, silent: float) -> Self:
        """The worker of a row of `QUIET_WORKERS`."""
        names = cls._fields[1:-1]
        return cls(agent_id=row["id"], silent=silent, **{name: row[name] for name in names})

    def tell(self, tx: Tx, type: str, payload: dict[str, Any]) -> None:
        """Append an event about it."""
        about = {"agent_id": self.agent_id, "task_id": self.task_id, "turn_id": self.turn_id}
        payload = {"agent": self.name, **payload}
        journal.append(tx, type, payload, workflow_id=self.workflow_id, **about)


async def take_step(services: Services, worker: Worker, finding: Finding) -> int | None:
    """Take one step in the workflow's lane; the agent in the worker's place, if there is one.

    Raises `PerlesError` when it cannot be taken, which is recorded then.
    """
    if not _still_hangs(services, worker):
        return None
    if finding.kind == "exhausted":
        payload = {"recoveries": finding.number, "action": "alert"}
        await services.writer.write(lambda tx: worker.tell(tx, "recovery.exhausted", payload))
        return None
    await services.writer.write(lambda tx: _attempted(tx, worker, finding))
    fresh = None
    try:
        if finding.kind == "replace":
            why = f"stuck: no sign of it for {worker.silent:.0f}s"
            name = await replace(services, services.turns, worker.agent_id, why=why)
            values = {"workflow_id": worker.workflow_id, "name": name}
            fresh = services.reader.first(Agent, statements.AGENT_NAMED, **values)
    except PerlesError as error:
        payload = {"action": finding.kind, "number": finding.number, "error": str(error)}
        await services.writer.write(lambda tx: worker.tell(tx, "recovery.failed", payload))
        raise
    services.kick()
    return None if fresh is None else fresh.id


def _still_hangs(context: Context, worker: Worker) -> bool:
    """Whether it is still in that turn, of a workflow that runs: lanes may be long."""
    values = {"workflow_id": worker.workflow_id}
    rows = context.reader.rows(queries.WORKING_AGENTS, **values)
    workflow = context.reader.need(Workflow, worker.workflow_id)
    return workflow.state == "running" and worker.turn_id in [row["turn_id"] for row in rows]


def _attempted(tx: Tx, worker: Worker, finding: Finding) -> None:
    payload = {"action": finding.kind, "number": finding.number}
    worker.tell(tx, "recovery.attempted", payload)
    tx.update(Workflow, worker.workflow_id, last_recovery_at=tx.now)
    if finding.kind == "nudge":
        task = worker.task or "none"
        body = NUDGE.format(name=worker.name, silent=worker.silent, task=task)
        messages.tell_coordinator(
            tx, worker.workflow_id, sender="perles", kind="reminder", body=body
        )


def tell_stuck(tx: Tx, worker: Worker) -> None:
    """Say that it is stuck."""
    payload = {"silent_s": round(worker.silent), "doing": [doing(worker._asdict(), tx.now)]}
    worker.tell(tx, "health.stuck", payload)


def tell_recovered(tx: Tx, agent: Agent, tried: int) -> None:
    """Say that a worker, or the one in its place, works again."""
    about: dict[str, Any] = {"workflow_id": agent.workflow_id, "agent_id": agent.id}
    journal.append(tx, "health.recovered", {"agent": agent.name}, **about)
    if tried:
        payload = {"agent": agent.name, "recoveries": tried}
        journal.append(tx, "recovery.succeeded", payload, **about)
