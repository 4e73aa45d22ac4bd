"""The workflow's life: admitted, opened, paused, resumed, ended.

Every method runs in the workflow's lane (see `engine.commands.queue`), so that one workflow's
steps never overlap; different workflows' do.
"""

import asyncio
import socket
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any, NoReturn

from perles.domain import commands
from perles.domain.errors import LimitReachedError, PerlesError
from perles.domain.states import WorkflowState, WorkflowTrigger
from perles.engine import crash_points
from perles.engine.context import Context, log
from perles.engine.resources import ports
from perles.engine.resources.scheduler import ResourceScheduler
from perles.engine.supervision import finals
from perles.engine.supervision.transitions import (
    ended,
    fail_unstarted,
    join_line,
    leave_line,
    paused,
    renew,
    resumed,
    started,
)
from perles.engine.supervision.worktrees import Worktrees
from perles.engine.turns.ending import Ending
from perles.engine.turns.runner import Turns
from perles.executor.contract import LEFTOVERS_GRACE, STOP_GRACE
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.workspace.allocation import WorktreeError

if TYPE_CHECKING:
    from perles.mcp.server import McpServers


class Supervisor:
    """Carries workflows from state to state, with all that a state needs."""

    def __init__(self, context: Context, turns: Turns, servers: "McpServers") -> None:
        self._context = context
        self._turns = turns
        self._servers = servers
        self._unheld: dict[str, socket.socket] = {}
        self._worktrees = Worktrees(context)

    async def start(self, workflow_id: str, *, wait: bool = True) -> dict[str, Any]:
        """Start a pending workflow, or leave it waiting with the reason that `show` tells.

        Raises `PerlesError` when it never can be started; it has failed then. Raises
        `LimitReachedError` where it would have to wait and must not.
        """
        workflow = self._context.reader.need(Workflow, workflow_id)
        if workflow.state == WorkflowState.RUNNING and self._context.is_open(workflow_id):
            return {"status": "running"}
        commands.Start.check_state(workflow.state, workflow_id)
        if not place_exists(workflow):
            place = workflow.repository or workflow.work_dir
            await self._never_starts(workflow_id, f"its work dir is gone: {place}")
        try:
            await self._take_and_open(workflow, started)
        except WorktreeError as error:
            await self._never_starts(workflow_id, str(error))
        except LimitReachedError as error:
            if not wait:
                raise LimitReachedError(
                    f"cannot start workflow {workflow_id}: {error}; without --no-wait it waits "
                    "in line, and starts when there is room"
                ) from error
            reason = f"waiting: {error}"
            await self._write(lambda tx: join_line(tx, workflow_id, reason))
            return {"status": "waiting", "reason": reason}
        return {"status": "running"}

    async def _never_starts(self, workflow_id: str, reason: str) -> NoReturn:
        await self._write(lambda tx: fail_unstarted(tx, workflow_id, reason))
        raise PerlesError(f"cannot start workflow {workflow_id}: {reason}")

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
        commands.Resume.check_state(workflow.state, workflow_id)
        if not work_dir_exists(workflow):
            await self._write(lambda tx: leave_line(tx, workflow_id))
            raise PerlesError(
                f"cannot resume workflow {workflow_id}: its work dir {workflow.work_dir} is gone; "
                "put it back, or stop the workflow"
            )
        try:
            await self._take_and_open(workflow, resumed)
        except LimitReachedError as error:
            if wait and not ResourceScheduler(self._context).has_spent_its_own(workflow):
                reason = f"waiting: {error}"
                await self._write(lambda tx: join_line(tx, workflow_id, reason))
                return {"status": "waiting", "reason": reason}
            await self._write(lambda tx: leave_line(tx, workflow_id))
            raise LimitReachedError(f"cannot resume workflow {workflow_id}: {error}") from error
        return {"status": "running"}

    async def reopen(self, workflow: Workflow) -> bool:
        """Serve a workflow again that ran when the last engine died; its leases still stand.

        Its port was held meanwhile. Returns whether it was not: then any program may have
        listened there and got the agents' tokens, so agents get new ones, and living agents are
        no use any more. Where no port is free the workflow is paused.
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
        await self._write(lambda tx: renew(tx, self._context, workflow.id, port))
        self._serve(workflow.id, port)
        return True

    async def pause(
        self, workflow_id: str, *, reason: str | None = None, grace: float = STOP_GRACE
    ) -> dict[str, Any]:
        """Interrupt the workflow's turns and let its messages wait."""
        workflow = self._context.reader.need(Workflow, workflow_id)
        if workflow.state == WorkflowState.PAUSED and workflow.start_requested_at is not None:
            await self._write(lambda tx: leave_line(tx, workflow_id))
            return {"status": "paused"}
        commands.Pause.check_state(workflow.state, workflow_id)
        self._context.served.discard(workflow_id)
        turns = self._turns
        await turns.interrupt(turns.of(workflow_id), Ending("interrupt", "pause"), grace=grace)
        await self._end_strays(workflow_id)
        await self._servers.close(workflow_id)
        await self._write(lambda tx: paused(tx, workflow_id, reason))
        return {"status": "paused"}

    async def end(
        self,
        workflow_id: str,
        trigger: WorkflowTrigger,
        *,
        reason: str | None,
        grace: float = STOP_GRACE,
        patient: bool = True,
        command: int | None = None,
        at_once: bool = False,
    ) -> dict[str, Any]:
        """Complete, fail or stop a workflow: nothing of it is left running afterwards.

        `patient` lets a coordinator that declared the end finish its turn. Where tasks come
        last, they run before, unless it ends `at_once`; `command` is what asks for it.
        """
        context = self._context
        workflow = context.reader.need(Workflow, workflow_id)
        commands.command_of(trigger).check_state(workflow.state, workflow_id)
        planned = finals.planned(workflow)
        if planned is not None:
            if command is not None and planned.command == command:
                return finals.told(context, workflow_id)  # an engine that died had begun it
            trigger, reason = planned.trigger, planned.reason
        elif not at_once and finals.may_come_first(context.reader, workflow, trigger):
            end = finals.Planned(trigger, reason, command)
            if await self._run_finals(workflow, end, grace):
                return finals.told(context, workflow_id)
        context.closing.add(workflow_id)
        try:
            if patient and trigger != "stop":
                await self._turns.let_end(workflow_id)
            ending = Ending("interrupt", "stop")
            await self._turns.interrupt(self._turns.of(workflow_id), ending, grace=grace)
            await self._end_strays(workflow_id)
            self._context.served.discard(workflow_id)
            await self._servers.close(workflow_id)
            crash_points.at("end.before-commit")
            await self._write(lambda tx: ended(tx, workflow_id, trigger, reason))
            crash_points.at("end.after-commit")
        finally:
            context.closing.discard(workflow_id)
            self._turns.forget(workflow_id)
        context.kick()
        return {"status": trigger}

    async def _run_finals(self, workflow: Workflow, end: finals.Planned, grace: float) -> bool:
        """Cut all else off, so that what comes last can run; whether anything is to."""
        context = self._context
        context.closing.add(workflow.id)
        try:
            await finals.cut_off_others(self._turns, context, workflow.id, grace)
            keys = await context.writer.write(lambda tx: finals.begin(tx, workflow.id, end))
            crash_points.at("finally.after-commit")
        finally:
            context.closing.discard(workflow.id)
        if keys and workflow.state == WorkflowState.PAUSED:
            if context.is_errand:
                await self._write(lambda tx: join_line(tx, workflow.id, "waiting: an engine"))
                return True
            try:
                await self.resume(workflow.id)
            except PerlesError as error:
                log.warning("the finally tasks of %s cannot run: %s", workflow.id, error)
                return False
        context.kick()
        return bool(keys)

    def leave(self) -> None:
        """Start nothing any more; the agents of open workflows go on without us."""
        self._context.served.clear()

    async def settle_ports(self) -> None:
        """Have the ports held that were lost, and close those of workflows that do not run.

        Not before all turns that knew the old tokens were ended: should this engine die
        on the way, the next one begins with these ports anew.
        """
        lost, self._unheld = self._unheld, {}
        for workflow_id in lost.keys() - self._context.served:
            lost.pop(workflow_id).close()
        hold = self._servers.ports.hold
        await asyncio.gather(*(hold(id, listener) for id, listener in lost.items()))
        await self._servers.ports.drop_others(self._context.served)

    async def _take_and_open(
        self, workflow: Workflow, enter: Callable[[Tx, Context, Workflow, int], None]
    ) -> None:
        context = self._context
        ResourceScheduler(context).need_room(workflow, context.reader)
        listener = self._bind(workflow)
        port = int(listener.getsockname()[1])
        try:
            undo = await self._worktrees.ready(workflow)
        except BaseException:
            listener.close()
            raise
        try:
            await self._servers.ports.hold(workflow.id, listener)
            await self._write(lambda tx: enter(tx, context, workflow, port))
            crash_points.at("start.after-commit")
        except BaseException:
            await self._servers.ports.drop(workflow.id)
            await asyncio.to_thread(undo)
            raise
        self._serve(workflow.id, port)

    def _bind(self, workflow: Workflow) -> socket.socket:
        policy = self._context.config.resource_policy
        return ports.bind_port(self._context.reader, policy, workflow.mcp_port)

    def _serve(self, workflow_id: str, port: int) -> None:
        self._servers.open(workflow_id, port)
        self._context.served.add(workflow_id)
        self._context.kick()

    async def _end_strays(self, workflow_id: str) -> None:
        """End every process that carries the workflow's marker, whatever started it."""
        left = await self._context.executor.end_workflow(workflow_id, grace=LEFTOVERS_GRACE)
        if left:
            log.error("processes of %s outlive SIGKILL: %s", workflow_id, left)

    async def _write(self, work: Callable[[Tx], None]) -> None:
        await self._context.writer.write(work)


def place_exists(workflow: Workflow) -> bool:
    """Whether there is a folder to work in, or the repository to make one of."""
    return Path(workflow.repository or workflow.work_dir).is_dir()


def work_dir_exists(workflow: Workflow) -> bool:
    """Whether the folder where its agents work is still there."""
    return Path(workflow.work_dir).is_dir()
