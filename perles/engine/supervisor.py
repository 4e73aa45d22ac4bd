"""The workflow's life: admitted, opened, paused, resumed, ended.

Every method runs in the workflow's lane (see `commands`), so that one workflow's
steps never overlap; different workflows' do.
"""

import asyncio
import signal
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from perles.agents import families, prompts
from perles.domain.clock import seconds_between
from perles.domain.errors import LimitReachedError, PerlesError, WrongStateError
from perles.domain.states import (
    AGENT,
    OPEN_TASK_STATES,
    PHASE,
    TASK,
    WORKFLOW,
    WorkflowState,
)
from perles.engine import admission, budget, calls, fault, mail, people, queries, scheduler
from perles.engine.context import Context, log
from perles.engine.outcome import Ending
from perles.engine.spawning import add_agent
from perles.store import journal
from perles.store.database import Reader, Tx
from perles.store.schema import Agent, Task, Workflow
from perles.store.transition import fire
from perles.workspace.session import new_token, session_folder

if TYPE_CHECKING:
    from perles.mcp.server import McpServers

GRACE: Final = 10.0
"""Seconds between TERM and KILL."""
COORDINATOR_GRACE: Final = 10.0
"""Seconds that a coordinator gets to end its turn after it has declared the end."""


class Supervisor:
    """Carries workflows from state to state, with all that a state needs."""

    def __init__(self, context: Context, servers: "McpServers") -> None:
        self._context = context
        self._servers = servers
        self._open: set[str] = set()
        self._unheld: dict[str, socket.socket] = {}

    def is_open(self, workflow_id: str) -> bool:
        """Whether agents of this workflow may be started: its server listens, it is not ending."""
        return workflow_id in self._open and workflow_id not in self._context.closing

    async def start(self, workflow_id: str, *, wait: bool = True) -> dict[str, Any]:
        """Start a pending workflow, or leave it waiting with the reason that `show` tells.

        Raises `PerlesError` when it never can be started; it has failed then. Raises
        `LimitReachedError` where it would have to wait and must not.
        """
        workflow = self._context.reader.need(Workflow, workflow_id)
        if workflow.state == WorkflowState.RUNNING and self.is_open(workflow_id):
            return {"status": "running"}
        if not work_dir_exists(workflow):
            reason = f"its work dir is gone: {workflow.work_dir}"
            await self._write(lambda tx: _fail_unstarted(tx, workflow_id, reason))
            raise PerlesError(f"cannot start workflow {workflow_id}: {reason}")
        try:
            await self._take_and_open(workflow, _started)
        except LimitReachedError as error:
            if not wait:
                raise LimitReachedError(
                    f"cannot start workflow {workflow_id}: {error}; without --no-wait it waits "
                    "in line, and starts when there is room"
                ) from error
            reason = f"waiting: {error}"
            await self._write(lambda tx: _queue(tx, workflow_id, reason))
            return {"status": "waiting", "reason": reason}
        return {"status": "running"}

    async def admit(self, workflow_id: str) -> dict[str, Any]:
        """Start or resume a workflow that waits in line, or leave it waiting. Raises `PerlesError`.

        One that has left the line meanwhile is left alone.
        """
        workflow = self._context.reader.need(Workflow, workflow_id)
        if workflow.start_requested_at is None:
            return {"status": workflow.state}
        paused = workflow.state == WorkflowState.PAUSED
        return await (self.resume(workflow_id) if paused else self.start(workflow_id))

    async def resume(self, workflow_id: str, *, wait: bool = True) -> dict[str, Any]:
        """Go on with a paused workflow, or let it wait in line for room, still paused.

        Raises `WrongStateError`; `LimitReachedError` where its own budget is used up, or
        it would have to wait and must not.
        """
        workflow = self._context.reader.need(Workflow, workflow_id)
        if workflow.state != WorkflowState.PAUSED:
            raise WrongStateError("workflow", workflow_id, workflow.state, "resume")
        if not work_dir_exists(workflow):
            await self._write(lambda tx: _leave_line(tx, workflow_id))
            raise PerlesError(
                f"cannot resume workflow {workflow_id}: its work dir {workflow.work_dir} is gone; "
                "put it back, or stop the workflow"
            )
        try:
            await self._take_and_open(workflow, _resumed)
        except LimitReachedError as error:
            if wait and not _has_spent_its_own(self._context, workflow):
                reason = f"waiting: {error}"
                await self._write(lambda tx: _queue(tx, workflow_id, reason))
                return {"status": "waiting", "reason": reason}
            await self._write(lambda tx: _leave_line(tx, workflow_id))
            raise LimitReachedError(f"cannot resume workflow {workflow_id}: {error}") from error
        return {"status": "running"}

    async def reopen(self, workflow: Workflow) -> bool:
        """Serve a workflow again that ran when the last engine died; its leases still stand.

        Its port was held meanwhile. Whether it was not: then anybody may have listened
        there and got the agents' tokens, so they get new ones, and those that live are
        no use any more. Where no port is free it is paused.
        """
        held = self._servers.ports.held(workflow.id)
        if held is not None and (port := int(held.getsockname()[1])) == workflow.mcp_port:
            self._serve(workflow.id, port)
            return False
        try:
            listener = self._bind(workflow)
        except LimitReachedError as error:
            reason = f"{error}, when the engine came back"
            await self.pause(workflow.id, reason=reason)
            return False
        port = listener.getsockname()[1]
        log.warning("port %s of %s was lost; now on %s", workflow.mcp_port, workflow.id, port)
        self._unheld[workflow.id] = listener
        await self._write(lambda tx: _renew(tx, self._context, workflow.id, port))
        self._serve(workflow.id, port)
        return True

    async def pause(self, workflow_id: str, *, reason: str | None = None) -> dict[str, Any]:
        """Interrupt the workflow's turns and let its messages wait."""
        workflow = self._context.reader.need(Workflow, workflow_id)
        if workflow.state == WorkflowState.PAUSED and workflow.start_requested_at is not None:
            await self._write(lambda tx: _leave_line(tx, workflow_id))
            return {"status": "paused"}
        if workflow.state != WorkflowState.RUNNING:
            raise WrongStateError("workflow", workflow_id, workflow.state, "pause")
        self._open.discard(workflow_id)
        turns = self._context.turns
        await turns.interrupt(turns.of(workflow_id), Ending("interrupt", "pause"), grace=GRACE)
        await self._end_strays(workflow_id)
        await self._servers.close(workflow_id)
        await self._write(lambda tx: _paused(tx, workflow_id, reason))
        return {"status": "paused"}

    async def end(
        self,
        workflow_id: str,
        trigger: str,
        *,
        reason: str | None,
        grace: float = GRACE,
        patient: bool = True,
    ) -> dict[str, Any]:
        """Complete, fail or stop a workflow: nothing of it is left running afterwards.

        `patient` lets a coordinator that declared the end finish its turn.
        """
        context = self._context
        state = context.reader.need(Workflow, workflow_id).state
        if state in WORKFLOW.terminal:
            raise WrongStateError("workflow", workflow_id, state, trigger)
        context.closing.add(workflow_id)
        try:
            if patient and trigger != "stop":
                await self._let_coordinator_end(workflow_id)
            ending = Ending("interrupt", "stop")
            await context.turns.interrupt(context.turns.of(workflow_id), ending, grace=grace)
            await self._end_strays(workflow_id)
            self._open.discard(workflow_id)
            await self._servers.close(workflow_id)
            fault.at("end.before-commit")
            await self._write(lambda tx: _ended(tx, workflow_id, trigger, reason))
            fault.at("end.after-commit")
        finally:
            context.closing.discard(workflow_id)
            context.turns.forget(workflow_id)
        context.kick()
        return {"status": trigger}

    def leave(self) -> None:
        """Start nothing any more; the agents of open workflows go on without us."""
        self._open.clear()

    async def settle_ports(self) -> None:
        """Have the ports held that were lost, and close those of workflows that do not run.

        Not before all turns that knew the old tokens were ended: should this engine die
        on the way, the next one begins with these ports anew.
        """
        lost, self._unheld = self._unheld, {}
        for workflow_id in lost.keys() - self._open:
            lost.pop(workflow_id).close()
        hold = self._servers.ports.hold
        await asyncio.gather(*(hold(id, listener) for id, listener in lost.items()))
        await self._servers.ports.drop_others(self._open)

    async def _take_and_open(
        self, workflow: Workflow, enter: Callable[[Tx, Context, Workflow, int], None]
    ) -> None:
        context = self._context
        _need_room(context.reader, context, workflow)
        listener = self._bind(workflow)
        port = int(listener.getsockname()[1])
        try:
            await self._servers.ports.hold(workflow.id, listener)
            await self._write(lambda tx: enter(tx, context, workflow, port))
            fault.at("start.after-commit")
        except BaseException:
            await self._servers.ports.drop(workflow.id)
            raise
        self._serve(workflow.id, port)

    def _bind(self, workflow: Workflow) -> socket.socket:
        policy = self._context.config.resource_policy
        return scheduler.bind_port(self._context.reader, policy, workflow.mcp_port)

    def _serve(self, workflow_id: str, port: int) -> None:
        self._servers.open(workflow_id, port)
        self._open.add(workflow_id)
        self._context.kick()

    async def _let_coordinator_end(self, workflow_id: str) -> None:
        for live in self._context.turns.of(workflow_id):
            if live.role == "coordinator":
                try:
                    async with asyncio.timeout(COORDINATOR_GRACE):
                        await live.done.wait()
                except TimeoutError:
                    log.info("the coordinator of %s does not end by itself", workflow_id)

    async def _end_strays(self, workflow_id: str) -> None:
        """End every process that carries the workflow's marker, whatever started it."""
        markers = [f"PERLES_WORKFLOW={workflow_id}"]
        if not families.signal_family(signal.SIGTERM, markers):
            return
        for _ in range(50):
            await asyncio.sleep(0.02)
            if not families.family(markers):
                return
        for _ in range(250):
            if not families.signal_family(signal.SIGKILL, markers):
                return
            await asyncio.sleep(0.02)
        log.error("processes of %s outlive SIGKILL: %s", workflow_id, families.family(markers))

    async def _write(self, work: Callable[[Tx], None]) -> None:
        await self._context.writer.write(work)


def work_dir_exists(workflow: Workflow) -> bool:
    """Whether the folder where its agents work is still there."""
    return Path(workflow.work_dir).is_dir()


def _need_room(reader: Reader, context: Context, workflow: Workflow) -> None:
    """Raise `LimitReachedError` unless the workflow can run now."""
    policy = context.config.resource_policy
    current = reader.need(Workflow, workflow.id)
    admission.need_slot(reader, policy, current, calls.held_back(context, reader))
    if current.state == WorkflowState.PAUSED:
        admission.need_slot_of_paused(reader, policy, current)
    if calls.spends(context, reader, current):
        budget.need_some(reader, policy, current)


def _started(tx: Tx, context: Context, workflow: Workflow, port: int) -> None:
    policy = context.config.resource_policy
    _need_room(tx, context, workflow)
    scheduler.acquire(tx, "workflow", policy.max_workflows_running, workflow.id)
    scheduler.acquire_port(tx, port, workflow.id)
    session = session_folder(
        context.paths.sessions_dir(), Path(workflow.work_dir), workflow.created_at, workflow.id
    )
    coordinator = add_agent(tx, workflow, "coordinator", "coordinator", session)
    fire(
        tx,
        WORKFLOW,
        workflow.id,
        "start",
        changes={
            "mcp_port": port,
            "session_dir": context.paths.stored(session),
            "started_at": tx.now,
            "last_heartbeat_at": tx.now,
            "last_progress_at": tx.now,
            "reason": None,
            "start_requested_at": None,
        },
        payload={"port": port},
    )
    people.ask_people(tx, workflow.id)
    body = f"start: work off the tasks of {workflow.name}"
    if workflow.goal:
        body = prompts.goal(workflow.goal)
    mail.post(tx, coordinator, sender="perles", kind="system", body=body)


def _resumed(tx: Tx, context: Context, workflow: Workflow, port: int) -> None:
    policy = context.config.resource_policy
    _need_room(tx, context, workflow)
    scheduler.acquire(tx, "workflow", policy.max_workflows_running, workflow.id)
    scheduler.acquire_port(tx, port, workflow.id)
    admission.take_worker_slots(tx, policy, workflow.id)
    paused_s = workflow.paused_s + seconds_between(workflow.paused_at or tx.now, tx.now)
    changes = {
        "paused_at": None,
        "paused_s": paused_s,
        "reason": None,
        "mcp_port": port,
        "start_requested_at": None,
        "last_heartbeat_at": tx.now,
        "last_progress_at": tx.now,
    }
    fire(tx, WORKFLOW, workflow.id, "resume", changes=changes, payload={"port": port})
    agents = tx.all(Agent, queries.AGENTS_OF, workflow_id=workflow.id)
    for agent in sorted(agents, key=lambda agent: agent.role == "coordinator"):
        if agent.status == "paused":
            fire(tx, AGENT, agent.id, "resume")
    mail.tell_coordinator(
        tx,
        workflow.id,
        sender="perles",
        kind="system",
        body=f"the workflow was paused at {workflow.paused_at} and goes on now; "
        "turns that were cut off start again",
    )


def _renew(tx: Tx, context: Context, workflow_id: str, port: int) -> None:
    """Another port, or the same one after somebody else may have had it: other tokens."""
    _move_port(tx, workflow_id, port)
    session = tx.need(Workflow, workflow_id).session_dir
    for agent in tx.all(Agent, queries.AGENTS_OF, workflow_id=workflow_id):
        if session is not None and agent.status != "retired":
            tx.update(Agent, agent.id, token=new_token(context.paths.found(session), agent.name))


def _move_port(tx: Tx, workflow_id: str, port: int) -> None:
    for lease in tx.rows(queries.LEASES_OF, workflow_id=workflow_id):
        if lease["kind"] == "port" and lease["value"] == port:
            return
    scheduler.release_all(tx, workflow_id, keep=frozenset({"workflow", "worker", "ai_call"}))
    scheduler.acquire_port(tx, port, workflow_id)
    tx.update(Workflow, workflow_id, mcp_port=port)


def _queue(tx: Tx, workflow_id: str, reason: str) -> None:
    workflow = tx.need(Workflow, workflow_id)
    may_wait = workflow.state in (WorkflowState.PENDING, WorkflowState.PAUSED)
    if not may_wait or (workflow.reason == reason and workflow.start_requested_at):
        return
    asked = workflow.start_requested_at or tx.now
    tx.update(Workflow, workflow_id, reason=reason, start_requested_at=asked)
    journal.append(tx, "workflow.queued", {"reason": reason}, workflow_id=workflow_id)
    if "no free port" in reason and not tx.value(
        queries.COUNT_WAITING_FOR, reason=reason, workflow_id=workflow_id
    ):
        payload = {"kind": "port", "reason": reason.removeprefix("waiting: ")}
        journal.append(tx, "resource.exhausted", payload, workflow_id=workflow_id)


def _leave_line(tx: Tx, workflow_id: str) -> None:
    """A paused workflow that was told to go on stays paused after all."""
    if tx.need(Workflow, workflow_id).start_requested_at is not None:
        tx.update(Workflow, workflow_id, start_requested_at=None, reason=None)


def _has_spent_its_own(context: Context, workflow: Workflow) -> bool:
    """Whether no waiting helps: the workflow's own budget is used up."""
    try:
        budget.need_own(context.reader, context.policy(), workflow)
    except LimitReachedError:
        return calls.spends(context, context.reader, workflow)
    return False


def _paused(tx: Tx, workflow_id: str, reason: str | None) -> None:
    changes = {"paused_at": tx.now, "reason": reason, "mcp_port": None}
    fire(tx, WORKFLOW, workflow_id, "pause", changes=changes, payload={"reason": reason})
    for agent in tx.all(Agent, queries.AGENTS_OF, workflow_id=workflow_id):
        if agent.status in ("ready", "working"):
            fire(tx, AGENT, agent.id, "pause")
    calls.drop_queued(tx, workflow_id)
    admission.leave_worker_line(tx, workflow_id)
    # A call is released with its process, which may outlive the patience of a pause.
    scheduler.release_all(tx, workflow_id, keep=frozenset({"ai_call"}))


def _ended(tx: Tx, workflow_id: str, trigger: str, reason: str | None) -> None:
    changes = {
        "ended_at": tx.now,
        "reason": reason,
        "start_requested_at": None,
        "waiting_for_user": 0,
        "mcp_port": None,
    }
    fire(tx, WORKFLOW, workflow_id, trigger, changes=changes, payload={"reason": reason})
    for agent in tx.all(Agent, queries.AGENTS_OF, workflow_id=workflow_id):
        if agent.phase != "idle":
            fire(tx, PHASE, agent.id, "cancel")
        if agent.status in ("ready", "working", "paused", "failed"):
            fire(tx, AGENT, agent.id, "stop")
    for task in tx.all(Task, queries.TASKS_OF, workflow_id=workflow_id):
        if task.status in OPEN_TASK_STATES:
            failure = f"the workflow ended ({trigger}) before it was done"
            fire(tx, TASK, task.id, "skip", changes={"failure": failure, "ended_at": tx.now})
    calls.drop_queued(tx, workflow_id)
    admission.leave_worker_line(tx, workflow_id)
    scheduler.release_all(tx, workflow_id, keep=frozenset({"ai_call"}))


def _fail_unstarted(tx: Tx, workflow_id: str, reason: str) -> None:
    _ended(tx, workflow_id, "fail", reason)
