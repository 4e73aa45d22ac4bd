"""One worker that is stuck while its workflow goes on: told once, then nudged and replaced.

The workflow's own ladder waits for its progress to end, which it does not here.
What was tried is counted by task, in the journal: a task that every worker hangs
on is not handed on for ever.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from perles.domain.clock import from_text, to_text
from perles.domain.records import dataclass
from perles.engine.bulkhead import Troubles
from perles.engine.health import queries, worker_ladder
from perles.engine.health.rules import Done, Finding, next_step, worker_steps
from perles.engine.health.worker_ladder import Worker
from perles.engine.services import Services
from perles.store.schema.agents import Agent

Steps = list[tuple[str, Callable[[], Awaitable[None]]]]


@dataclass(slots=True)
class _Case:
    """A worker that was told to be stuck, or the one in its place. `since` is its last sign."""

    workflow_id: str
    since: str
    done: Done


class StuckWorkers:
    """The workers that print nothing and seem to do nothing."""

    def __init__(self, services: Services) -> None:
        self._context = services
        self._cases: dict[int, _Case] = {}
        self._excused: dict[int, datetime] = {}
        self._troubles = Troubles()

    def suspects(self, rows: Sequence[Any], soon: datetime) -> Sequence[Any]:
        """The workers that will have been silent too long at `soon`; `rows` are of the sweep."""
        timeout = self._context.config.health_policy.progress_timeout
        before = to_text(datetime.fromtimestamp(soon.timestamp() - timeout, soon.tzinfo))
        if not any(row["quietest"] and row["quietest"] < before for row in rows):
            return []
        return self._context.reader.rows(queries.QUIET_WORKERS, before=before)

    def clock_was_set(self, by: timedelta) -> None:
        """Move what is remembered with the clock."""
        self._excused = {id: at + by for id, at in self._excused.items()}
        for case in self._cases.values():
            case.since = to_text(from_text(case.since) + by)
            if case.done.last is not None:
                case.done = Done(case.done.recoveries, case.done.last + by)

    async def judge(
        self, quiet: Sequence[Any], works: Mapping[int, bool], floor: datetime, now: datetime
    ) -> Steps:
        """Tell what changed; the steps that are due. `works` tells which turns do something."""
        await self._tell_recovered()
        for turn_id in set(self._excused) - {row["turn_id"] for row in quiet}:
            del self._excused[turn_id]
        found: Steps = []
        for row in quiet:
            with self._troubles.apart(f"looking at a worker of {row['workflow_id']}"):
                found += await self._judged(row, works, floor, now, [id for id, _ in found])
        return found

    async def _judged(
        self,
        row: Any,
        works: Mapping[int, bool],
        floor: datetime,
        now: datetime,
        busy: Sequence[str],
    ) -> Steps:
        """The step that is due for one of them; none for a workflow that is `busy` with another."""
        policy = self._context.config.health_policy
        if works.get(row["turn_id"]) or row["limited_until"] > to_text(now):
            self._excused[row["turn_id"]] = now
        excused = self._excused.get(row["turn_id"], floor)
        last_sign = max(floor, excused, from_text(row["active_at"]))
        silent = (now - last_sign).total_seconds()
        if silent <= policy.progress_timeout or row["turn_id"] not in works:
            return []
        worker = Worker.of(row, silent)
        case = self._cases.get(worker.agent_id) or await self._open(worker)
        if worker.workflow_id in busy:
            return []  # one step at a time
        found: Steps = []
        for finding in next_step(worker_steps(policy), case.done, policy, now, silent):
            case.done = Done(case.done.recoveries + 1, now)
            step = partial(self._take_step, worker, case, finding)
            found.append((worker.workflow_id, step))
        return found

    async def _open(self, worker: Worker) -> _Case:
        """A new case, told unless an engine before this one has told it."""
        reader = self._context.reader
        about = {"workflow_id": worker.workflow_id}
        told = {"agent_id": worker.agent_id, "since": worker.active_at, **about}
        if reader.row(queries.WAS_TOLD, **told) is None:
            await self._context.writer.write(partial(worker_ladder.tell_stuck, worker=worker))
        tried = {"task_id": worker.task_id, "turn_id": worker.turn_id, **about}
        row = reader.row(queries.RECOVERIES_OF_WORKER, **tried)
        assert row is not None
        done = Done(int(row["recoveries"]), from_text(row["last"]) if row["last"] else None)
        case = _Case(worker.workflow_id, worker.active_at, done)
        self._cases[worker.agent_id] = case
        return case

    async def _take_step(self, worker: Worker, case: _Case, finding: Finding) -> None:
        fresh = await worker_ladder.take_step(self._context, worker, finding)
        if fresh is not None:
            self._cases.pop(worker.agent_id, None)
            case.since = self._context.database.now()
            self._cases[fresh] = case

    async def _tell_recovered(self) -> None:
        """Which stuck workers work again, and which have left."""
        for agent_id, case in list(self._cases.items()):
            with self._troubles.apart(f"looking at a worker of {case.workflow_id}"):
                await self._settle(agent_id, case)

    async def _settle(self, agent_id: int, case: _Case) -> None:
        reader = self._context.reader
        agent = reader.first(Agent, queries.AGENT, agent_id=agent_id)
        if agent is None or agent.status not in ("ready", "working"):
            del self._cases[agent_id]  # retired, paused or ended: somebody saw to it
        elif reader.row(queries.MOVED, agent_id=agent_id, since=case.since) is not None:
            del self._cases[agent_id]
            tried = case.done.recoveries
            tell = partial(worker_ladder.tell_recovered, agent=agent, tried=tried)
            await self._context.writer.write(tell)
