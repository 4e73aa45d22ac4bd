"""Leads the workflows that no agent has to lead: all their tasks are commands, or for people.

The builtin coordinator walks the task graph by fixed rules. Where all workers are builtin, too,
these rules need no process: they are applied here, in the transaction of what happened. What one
pass costs depends on how many workers there are, not on how many tasks.
"""

from collections.abc import Mapping
from typing import Any, Final

from perles.agents.builtin.refusals import NEVER
from perles.domain.commands import Complete, Fail
from perles.domain.errors import NoWorkerSlotError, ToolError
from perles.domain.provider_choice import BUILTIN
from perles.domain.states import GONE_AGENTS
from perles.engine.commands.base import Tool, ToolCall
from perles.engine.commands.tools import assign_task, mark_task, spawn_worker
from perles.engine.commands.tools.signal_complete import FAILED_TASK_KEYS
from perles.engine.context import Context, log
from perles.engine.coordination import queries
from perles.engine.end_request import request_end
from perles.engine.resources import worker_slots
from perles.engine.team.reminders import ask_about_stopped
from perles.fabric import messages
from perles.store import statements
from perles.store.events import journal
from perles.store.reader import Reader
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.tasks import named_limits
from perles.tasks.reports import has_report

MAX_KEPT: Final = 1000
"""Workflows of which it is kept at hand whether the engine leads them."""
MAX_ROUNDS: Final = 1000
"""Rounds of one pass: each settles or fails a task."""


class Conductor:
    """Decides what comes next in such workflows: who does which task, and when all is done."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._led: dict[str, bool] = {}

    def leads(self, reader: Reader, agent: Agent) -> bool:
        """Whether the engine does this agent's work, so that it needs no turn."""
        if agent.role != "coordinator" or agent.provider != BUILTIN:
            return False
        if agent.workflow_id not in self._led:
            if len(self._led) >= MAX_KEPT:
                self._led.clear()
            row = reader.row(queries.NEEDS_AGENT, workflow_id=agent.workflow_id)
            self._led[agent.workflow_id] = row is None
        return self._led[agent.workflow_id]

    def hear(self, tx: Tx, agent_id: int) -> None:
        """Take the messages of a coordinator that the engine stands for, and act on them.

        What they say does not matter: the state tells what to do.
        """
        coordinator = tx.need(Agent, agent_id)
        if coordinator.status != "ready":
            return
        for row in tx.rows(queries.READ_MESSAGES, agent_id=agent_id):
            messages.drop(tx, row["id"])
        self.advance(tx, coordinator)

    def advance(self, tx: Tx, coordinator: Agent, ended: int | None = None) -> list[int]:
        """Settle what was reported, hand out what is ready, end the workflow when all is done.

        `ended` is the worker that has just reported, where nothing else has happened. The workers
        that have a task now and can begin with it.
        """
        workflow = tx.need(Workflow, coordinator.workflow_id)
        if workflow.state != "running" or coordinator.status != "ready":
            return []
        one = _Pass(self._context, tx, workflow, coordinator)
        if ended is not None and one.hand_on(tx.need(Agent, ended)):
            return one.assigned
        for _ in range(MAX_ROUNDS):
            one.settle()
            again = one.assign()
            if not one.assigned and not tx.value(queries.HAS_OPEN, workflow_id=workflow.id):
                one.finish()
                break
            if not again:
                break
        if not one.assigned:
            ask_about_stopped(tx, workflow, tx.need(Agent, coordinator.id))
        return one.assigned


class _Call(ToolCall):
    """A call of the engine itself, which knows the rows that it is about by their ids."""

    __slots__ = ()

    def task(self) -> Task:
        """The task that the call is about."""
        return self.tx.need(Task, self.args["task"])

    def worker(self, _argument: str = "worker_id") -> Agent:
        """The worker that the call is about."""
        return self.tx.need(Agent, self.args["worker"])


class _Pass:
    """One look at the plan, within one transaction."""

    def __init__(self, context: Context, tx: Tx, workflow: Workflow, coordinator: Agent) -> None:
        self._call = _Call(tx, context, workflow, coordinator, {})
        self._tx, self._workflow = tx, workflow
        self.assigned: list[int] = []

    def hand_on(self, worker: Agent) -> bool:
        """Settle the task of a worker and give it the next one; whether that was all to do.

        Before, no task was ready for which there was a free worker. So where nothing waited for
        this task, there is one free worker for the next.
        """
        if worker.task_id is None:
            return False
        done = self._settle(self._tx.need(Task, worker.task_id))
        if done is None or done["status"] != "done" or done["now_ready"]:
            return False
        about = {"workflow_id": self._workflow.id}
        row = self._tx.row(queries.NEXT_READY, after=0, **about)
        if row is None or worker.status != "ready":
            return False
        if named_limits.wanted_by(self._tx.need(Task, row["id"])):
            return False
        if self._try(assign_task.handle, row["id"], worker=worker.id) is None:
            return False
        self.assigned.append(worker.id)
        return True

    def settle(self) -> None:
        """Close the attempts that ended."""
        for task in self._tx.all(Task, queries.IN_PROGRESS, workflow_id=self._workflow.id):
            self._settle(task)

    def _settle(self, task: Task) -> dict[str, Any] | None:
        """Close an attempt that ended; what became of it, None where it goes on."""
        if has_report(task):
            if task.exit_code in (0, None):
                return self._try(mark_task.complete, task.id)
            said = journal.decode(task.outputs).get("summary")
            return self._try(mark_task.fail, task.id, reason=str(said or f"exit {task.exit_code}"))
        worker = None if task.implementer_id is None else self._tx.need(Agent, task.implementer_id)
        if worker is None or worker.status not in GONE_AGENTS:
            return None
        why = self._tx.value(statements.LATEST_ERROR, agent_id=worker.id) or "no report"
        return self._try(mark_task.fail, task.id, reason=f"{worker.name} ended: {why}")

    def assign(self) -> bool:
        """Give ready tasks to free workers, and to new ones as far as the limits allow.

        Returns whether a task failed, because no worker can ever do it. Skips tasks that wait for
        a name, and other tasks that need such a name.
        """
        tx, taken = self._tx, set[str]()
        about: dict[str, Any] = {"workflow_id": self._workflow.id}
        last = 0
        while (row := tx.row(queries.NEXT_READY, after=last, **about)) is not None:
            last = row["id"]
            limits = named_limits.wanted_by(tx.need(Task, last))
            if not taken.isdisjoint(limits):
                continue
            free = tx.row(queries.FREE_WORKER, **about)
            if free is None and (why := self._spawn()):
                self._try(mark_task.fail, last, reason=why)
                return True
            free = free or tx.row(queries.FREE_WORKER, **about)
            if free is None:
                return False
            given = self._try(assign_task.handle, last, worker=free["id"])
            if given is None:
                return False
            if given["status"] == "waiting":
                taken.update(limits)
            elif free["status"] == "ready":
                self.assigned.append(free["id"])
        return False

    def _spawn(self) -> str:
        """One more worker, where there is room; why there never will be one."""
        taken = self._tx.value(queries.COUNT_SEATS, workflow_id=self._workflow.id)
        if taken >= self._workflow.max_workers:
            return ""
        try:
            spawn_worker.handle(self._call._replace(args={"provider": BUILTIN}))
        except NoWorkerSlotError as error:
            if error.waits:
                worker_slots.ask_for_worker(self._tx, self._workflow.id, str(error))
        except ToolError as error:
            return str(error) if str(error).startswith(NEVER) else ""
        return ""

    def finish(self) -> None:
        """All tasks have ended, one way or another."""
        tx, about = self._tx, {"workflow_id": self._workflow.id}
        failed = [row["key"] for row in tx.rows(FAILED_TASK_KEYS, **about)]
        rows = tx.rows(queries.BY_END, **about)
        if failed:
            total = sum(row["n"] for row in rows)
            said = f"{len(failed)} of {total} tasks failed: {', '.join(failed)}"
            request_end(tx, self._workflow, Fail(reason=said))
        else:
            counts = {(row["status"], row["tolerated"]): int(row["n"]) for row in rows}
            request_end(tx, self._workflow, Complete(reason=_told(counts)))

    def _try(self, tool: Tool, task_id: int, **args: Any) -> dict[str, Any] | None:
        """Do what this tool does with a task; its answer, None where it was refused."""
        try:
            return tool(self._call._replace(args={"task": task_id, **args}))
        except ToolError as error:
            log.error("cannot lead %s: %s", self._workflow.id, error)
            return None


def _told(counts: Mapping[tuple[str, int], int]) -> str:
    """How the tasks of a workflow that is well ended, by state and whether that is tolerated."""
    done = counts.get(("done", 0), 0)
    skipped = sum(count for (status, _), count in counts.items() if status == "skipped")
    tolerated = counts.get(("failed", 1), 0)
    said = "1 task done" if done == 1 else f"{done} tasks done"
    said += f", {skipped} skipped" if skipped else ""
    return said + (f", {tolerated} failed (continue_on_error)" if tolerated else "")
