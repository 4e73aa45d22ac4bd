"""The steps of recovery: nudge, replace, pause, and what is done when none helped."""

from collections.abc import Awaitable, Callable
from typing import Any

from perles.domain.clock import from_text
from perles.domain.errors import PerlesError
from perles.domain.explanations import first_line
from perles.engine.context import Context
from perles.engine.health import queries
from perles.engine.health.rules import Finding
from perles.engine.services import Services
from perles.engine.supervision.replacement import replace
from perles.fabric import messages
from perles.store import statements
from perles.store.events import journal
from perles.store.reads.current_work import age
from perles.store.schema.agents import Agent
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx

NUDGE = (
    "Nothing has moved in this workflow for {silent:.0f} seconds. Look at the tasks "
    "(list_tasks) and at the workers (query_worker_state): give ready tasks to free workers, "
    "give up what cannot be done (mark_task_failed), add a worker where one is gone "
    "(spawn_worker), and end the workflow when all is done (signal_workflow_complete). "
    "Busy now: {busy}."
)


def step(services: Services, workflow_id: str, finding: Finding) -> Callable[[], Awaitable[None]]:
    """What takes this step, in the workflow's lane; one that cannot be taken is recorded."""

    async def run() -> None:
        try:
            await take_step(services, workflow_id, finding)
        except PerlesError as error:
            text = str(error)
            await services.writer.write(lambda tx: failed(tx, workflow_id, finding, text))
            raise

    return run


async def take_step(services: Services, workflow_id: str, finding: Finding) -> None:
    """Take one step in the workflow's lane. Raises `PerlesError` when it cannot be taken."""
    workflow = services.reader.need(Workflow, workflow_id)
    if workflow.state != "running":
        return
    if finding.kind == "exhausted":
        await _exhausted(services, workflow, finding)
        return
    await services.writer.write(lambda tx: _attempted(tx, workflow_id, finding))
    if finding.kind == "replace":
        culprit = _culprit(services, workflow_id)
        await replace(services, services.turns, culprit.id, why=_why(finding))
    elif finding.kind == "pause":
        await services.supervisor.pause(workflow_id, reason=_why(finding))
    services.kick()


def doing(row: Any, now: str) -> str:
    """`worker-1: pytest -q, 6m`: an agent that works, at what, and since when."""
    began = row["started_at"] or row["active_at"]
    what = first_line(row["command"] or row["task"] or "its turn")
    return f"{row['name']}: {what}, {age(began, from_text(now))}"


def failed(tx: Tx, workflow_id: str, finding: Finding, error: str) -> None:
    """Record a step that could not be taken; the next one follows in its time."""
    payload = {"action": finding.kind, "number": finding.number, "error": error}
    journal.append(tx, "recovery.failed", payload, workflow_id=workflow_id)


def _attempted(tx: Tx, workflow_id: str, finding: Finding) -> None:
    tx.update(Workflow, workflow_id, recovery_count=finding.number, last_recovery_at=tx.now)
    payload = {"action": finding.kind, "number": finding.number}
    journal.append(tx, "recovery.attempted", payload, workflow_id=workflow_id)
    if finding.kind == "nudge":
        busy = tx.rows(queries.WORKING_AGENTS, workflow_id=workflow_id)
        names = ", ".join(f"{row['name']} since {row['started_at']}" for row in busy) or "nobody"
        body = NUDGE.format(silent=finding.silent, busy=names)
        messages.tell_coordinator(tx, workflow_id, sender="perles", kind="reminder", body=body)


def _culprit(context: Context, workflow_id: str) -> Agent:
    """The agent to replace: the worker that works and is silent the longest, or the coordinator."""
    rows = context.reader.rows(queries.WORKING_AGENTS, workflow_id=workflow_id)
    workers = sorted((row for row in rows if row["role"] == "worker"), key=lambda r: r["active_at"])
    if workers:
        return context.reader.need(Agent, workers[0]["id"])
    found = context.reader.first(Agent, statements.COORDINATOR_OF, workflow_id=workflow_id)
    if found is None:
        raise PerlesError("cannot replace the coordinator: there is none")
    return found


async def _exhausted(services: Services, workflow: Workflow, finding: Finding) -> None:
    action = services.config.health_policy.on_exhausted

    def record(tx: Tx) -> None:
        tx.update(Workflow, workflow.id, recovery_count=finding.number + 1)
        payload = {"recoveries": finding.number, "action": action}
        journal.append(tx, "recovery.exhausted", payload, workflow_id=workflow.id)

    await services.writer.write(record)
    if action == "fail":
        await services.supervisor.end(workflow.id, "fail", reason=_why(finding))
    elif action == "pause":
        await services.supervisor.pause(workflow.id, reason=_why(finding))


def _why(finding: Finding) -> str:
    tried = f", {finding.number} recoveries tried" if finding.kind == "exhausted" else ""
    return f"stuck: no progress for {finding.silent:.0f}s{tried}"
