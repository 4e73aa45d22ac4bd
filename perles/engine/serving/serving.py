"""Looks after services: begins them, asks whether they are ready, and ends them.

What is to be done follows from the rows alone, so an engine that takes over goes on: a service
that is in progress and not ready is asked, one that nobody needs is done, and the turn of an agent
whose service is over is ended.
"""

import asyncio
import time
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from perles.agents.provider import Outcome
from perles.domain.duration import format_duration
from perles.domain.services import AGENT_TYPE, Ready
from perles.engine import crash_points
from perles.engine.bulkhead import Troubles
from perles.engine.services import Services
from perles.engine.serving import probes, starting
from perles.engine.team import succession
from perles.engine.turns.ending import Ending
from perles.engine.turns.live import LiveTurn
from perles.executor.contract import REPLACED_GRACE, TurnFiles
from perles.store import statements
from perles.store.events import journal
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.tasks import named_limits, services
from perles.tasks.stored_execution import execution_of

SHORTEST_PAUSE: Final = 0.1
LONGEST_PAUSE: Final = 1.0
"""Seconds between two questions: the longer a service takes, the rarer it is asked."""


class Serving:
    """The services of all running workflows."""

    def __init__(self, context: Services) -> None:
        self._context = context
        self._asked: dict[int, tuple[LiveTurn, asyncio.Task[None]]] = {}
        self._ended: dict[int, asyncio.Task[None]] = {}
        self._troubles = Troubles()

    async def look(self) -> None:
        """Do what is to be done now. What takes its time goes on beside."""
        reader = self._context.reader
        tasks = reader.all(Task, services.OF_RUNNING)
        if not tasks:
            return
        for task in tasks:
            if self._context.is_open(task.workflow_id):
                with self._troubles.apart(f"looking after {task.key} of {task.workflow_id}"):
                    await self._look_after(task)
        # Of several services that one agent ran, the latest is the one it may still run.
        latest = {task.implementer_id: task for task in sorted(tasks, key=lambda one: one.id)}
        for agent in reader.all(Agent, services.AGENTS):
            if agent.task_id is None and agent.id in latest:
                await self._let_go(agent, latest[agent.id])

    async def settle(self) -> None:
        """Ask nothing any more, and wait for what is being ended."""
        for _, task in self._asked.values():
            task.cancel()
        waiting = [*(task for _, task in self._asked.values()), *self._ended.values()]
        await asyncio.gather(*waiting, return_exceptions=True)
        self._asked.clear()

    async def _look_after(self, task: Task) -> None:
        if task.status == "ready":
            await self._begin(task)
        elif task.status == "in_progress":
            await self._go_on(task)

    async def _begin(self, task: Task) -> None:
        now = self._context.database.clock.now()
        if task.id in named_limits.held_up(self._context.reader, now):
            return
        ready = services.ready_of(task)
        port = ready.local_port() if ready is not None else None
        if port is not None and self._context.placing is None:  # of a node nobody knows it yet
            holder = await probes.holder_of(self._context.executor, None, port)
            if holder is not None and not self._is_ending(task):
                why = f"port {port} is held by {holder} before it was started; end that first"
                await self._write(lambda tx: starting.refuse(tx, task.id, why))
                return
        crash_points.at("service.before-begin")
        context = self._context
        await self._write(lambda tx: starting.begin(tx, context, task.id))

    def _is_ending(self, task: Task) -> bool:
        """Whether an earlier attempt still ends."""
        return task.implementer_id in self._ended

    async def _go_on(self, task: Task) -> None:
        reader, ready = self._context.reader, services.ready_of(task)
        agent = None if task.implementer_id is None else reader.get(Agent, task.implementer_id)
        # One that no task waits for is done once it is ready.
        may_end = task.serving_since is not None or reader.row(services.ANY_WAITS, task_id=task.id)
        if may_end and not services.is_needed(reader, task):
            await self._write(partial(_if_same, task, services.complete))
            crash_points.at("service.after-complete")
            return
        error = None if agent is None else reader.value(statements.LATEST_ERROR, agent_id=agent.id)
        why = services.why_ended(task, agent, error)
        if why is not None:
            await self._write(partial(_if_same, task, partial(_fail, why)))
        elif task.serving_since is None and agent is not None and ready is not None:
            self._ask(task, ready, agent)

    def _ask(self, task: Task, ready: Ready, agent: Agent) -> None:
        """See that somebody asks whether it is ready, as long as this process lives."""
        live = self._context.turns.of_agent(agent.id)
        if live is None or not live.is_watched or live.done.is_set():
            return
        known = self._asked.get(task.id)
        if known is not None:
            if known[0] is live and not known[1].done():
                return
            known[1].cancel()
        asking = asyncio.ensure_future(self._until_ready(task, ready, live))
        self._asked[task.id] = (live, asking)
        asking.add_done_callback(lambda done: self._forget(task.id, done))

    def _forget(self, task_id: int, done: "asyncio.Task[None]") -> None:
        if task_id in self._asked and self._asked[task_id][1] is done:
            del self._asked[task_id]
        self._tell_trouble("asking a service", done)

    async def _until_ready(self, task: Task, ready: Ready, live: LiveTurn) -> None:
        """Ask until it is ready, or its time is up, or its process is gone."""
        probe = None
        while not live.done.is_set():
            if probe is None and (place := await self._place(task, live)) is not None:
                probe = probes.probe_of(ready, place)  # one for all looks: it reads output on
            why = f"its node {live.node} cannot be asked" if probe is None else await probe()
            age = live.process.age()
            if why is None:
                crash_points.at("service.before-ready")
                ready_now = partial(services.passed, task.id, task.attempt, age)
                await self._write(ready_now)
                crash_points.at("service.after-ready")
                return
            if age >= ready.timeout:
                after = f"not ready after {format_duration(ready.timeout)}"
                said = f"{after}: {ready.in_words()}: {why}"
                await self._write(partial(_if_same, task, partial(_fail, said)))
                return
            pause = min(LONGEST_PAUSE, max(SHORTEST_PAUSE, age / 20), ready.timeout - age)
            await live.ends_within(pause)

    async def _place(self, task: Task, live: LiveTurn) -> probes.Place | None:
        """Where it is asked; None where its node cannot tell its folder now."""
        context = self._context
        workflow = context.reader.need(Workflow, task.workflow_id)
        turn = context.reader.need(Turn, live.turn_id)
        folder = Path(workflow.work_dir)
        if live.node is not None and context.remote is not None:
            there = await context.remote.folder_of(task)
            if there is None:
                return None
            folder = there[1]
        return probes.Place(
            executor=context.executor,
            workflow_id=workflow.id,
            folder=folder / execution_of(task).dir,
            environ={**context.environ_of(workflow), **journal.decode(task.env)},
            output=TurnFiles.at(context.paths.found(turn.stdout_path)).stdout,
            node=live.node,
        )

    async def _let_go(self, agent: Agent, task: Task) -> None:
        """End the turn of an agent whose service is over; retire it where that is for good."""
        if agent.status != "working":
            if task.status in ("done", "failed", "skipped"):
                await self._write(lambda tx: _retire(tx, agent.id))
            return
        live = self._context.turns.of_agent(agent.id)
        if live is None or not live.is_watched or agent.id in self._ended:
            return
        ending = asyncio.ensure_future(self._end(agent, task, live))
        self._ended[agent.id] = ending
        ending.add_done_callback(lambda done: self._end_told(agent.id, done))

    def _end_told(self, agent_id: int, done: "asyncio.Task[None]") -> None:
        self._ended.pop(agent_id, None)
        self._tell_trouble("ending a service", done)
        self._context.kick()

    async def _end(self, agent: Agent, task: Task, live: LiveTurn) -> None:
        execution = execution_of(task)
        grace = REPLACED_GRACE if execution.grace is None else execution.grace
        begun = time.monotonic()
        live.verdict = Outcome(True)
        await self._context.turns.interrupt([live], Ending("succeed", "turn_ended"), grace=grace)
        took = time.monotonic() - begun
        said = "ended by TERM"
        if took >= grace:
            said = f"did not end within {format_duration(grace)} after TERM: killed"
        port = execution.service.local_port() if execution.service is not None else None
        holder = None
        if port is not None:
            holder = await probes.holder_of(self._context.executor, live.node, port)
        if holder is not None:
            said = f"{said}; port {port} is still held by {holder}"
        payload = {"key": task.key, "text": said, "seconds": round(took, 1)}
        ids = (task.workflow_id, agent.id, task.id)
        await self._write(lambda tx: _tell_end(tx, payload, *ids))

    def _tell_trouble(self, what: str, done: "asyncio.Task[None]") -> None:
        error = None if done.cancelled() else done.exception()
        if isinstance(error, Exception):
            self._troubles.tell(what, error)

    async def _write(self, work: Callable[[Tx], object]) -> None:
        await self._context.writer.write(work)
        self._context.kick()


def _if_same(task: Task, change: Callable[[Tx, Task], None], tx: Tx) -> None:
    """Change the task, where it is still the attempt that was looked at."""
    current = tx.need(Task, task.id)
    is_same = current.attempt == task.attempt and current.serving_since == task.serving_since
    if current.status == "in_progress" and is_same:
        change(tx, current)


def _fail(reason: str, tx: Tx, task: Task) -> None:
    services.fail(tx, task, reason)


def _tell_end(
    tx: Tx, payload: dict[str, Any], workflow_id: str, agent_id: int, task_id: int
) -> None:
    about = {"agent_id": agent_id, "task_id": task_id}
    journal.append(tx, "task.service_ended", payload, workflow_id=workflow_id, **about)


def _retire(tx: Tx, agent_id: int) -> None:
    agent = tx.need(Agent, agent_id)
    if agent.agent_type == AGENT_TYPE and agent.status in ("ready", "failed") and not agent.task_id:
        succession.retire(tx, agent, "its service is over")
