"""The scheduler's world with a health monitor in it: agents say, rest and hang as they are told."""

from collections.abc import Sequence
from dataclasses import replace
from fnmatch import fnmatch
from pathlib import Path
from typing import Any

from perles.agents.provider import AgentEvent, Kind, Outcome
from perles.config.model import HealthPolicy
from perles.engine.commands.base import ToolCall
from perles.engine.commands.queue import Commands
from perles.engine.commands.tools import assign_task
from perles.engine.health.monitor import HealthMonitor
from perles.engine.health.process_activity import Effort
from perles.engine.turns.ending import Ending
from perles.engine.turns.ingest import apply_batch
from perles.engine.turns.live import LiveTurn
from perles.executor.contract import Batch, Process, Used
from perles.store import statements
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.tasks import graph
from tests import ports
from tests.integration.scheduler_world import World

FIRST_PORT = ports.HEALTH
SWEEP = 10.0
"""Seconds between sweeps with timeouts as they are by default."""


class HealthWorld(World):
    """Time passes sweep by sweep.

    `used` is what turns have used, by their ids; those in `computing` and `copying` use more.
    """

    def __init__(self, root: Path, first_port: int, policy: HealthPolicy | None = None) -> None:
        super().__init__(root, first_port)
        self.limit(
            max_workflows_running=99,
            max_workers=99,
            max_ai_calls=99,
            port_range_end=first_port + 99,
        )
        self.policy_of_health(policy or HealthPolicy())
        self.used: dict[int, Used] = {}
        self.computing: set[int] = set()
        self.copying: set[int] = set()
        self.looks: list[Sequence[Process]] = []
        self.restart()

    def policy_of_health(self, policy: HealthPolicy) -> None:
        """Somebody changes the configuration."""
        self.context.config = replace(self.context.config, health_policy=policy)

    def restart(self) -> None:
        """The engine dies, and another one comes."""
        self.crash()
        self.monitor = HealthMonitor(self.context, Commands(self.context), Effort(self._look))

    def _look(self, which: Sequence[Process]) -> dict[int, Used]:
        self.looks.append(which)
        ids = [one.turn.turn_id for one in which]
        return {id: self.used.get(id, Used()) for id in ids}

    async def begin(self, id: str | None = None) -> str:
        """A workflow runs, and its coordinator works."""
        id = id or self.request(1)
        await self.context.supervisor.start(id)
        await self.turns.deliver()
        return id

    async def sweep(self) -> None:
        """One interval passes."""
        self.clock.advance(SWEEP)
        for turn_id in self.computing | self.copying:
            more = Used(SWEEP / 2, 0) if turn_id in self.computing else Used(0, 1_000_000)
            self.used[turn_id] = self.used.get(turn_id, Used()) + more
        await self.monitor.sweep()
        await self.monitor.settle()
        await self.turns.deliver()

    async def pass_(self, seconds: float) -> None:
        """Time passes, and nobody does anything."""
        for _ in range(int(seconds / SWEEP)):
            await self.sweep()

    def agent(self, id: str, name: str = "coordinator") -> Agent:
        """An agent by its name."""
        found = self.reader.first(Agent, statements.AGENT_NAMED, workflow_id=id, name=name)
        assert found is not None
        return found

    def live(self, id: str, name: str = "coordinator") -> LiveTurn:
        """The turn in which this agent is."""
        (live,) = [live for live in self.turns.of(id) if live.agent == name]
        return live

    def say(self, *lives: LiveTurn, kind: Kind = Kind.TEXT) -> None:
        """Turns print a line each, in one transaction."""
        data = {"tokens_in": 1, "tokens_out": 1} if kind is Kind.USAGE else {}
        batches = [Batch([AgentEvent(kind, "x", data)], live.offset + 10, True) for live in lives]

        def work(tx: Tx) -> None:
            for live, batch in zip(lives, batches, strict=True):
                apply_batch(tx, live, batch)

        self.write(work)
        for live, batch in zip(lives, batches, strict=True):
            live.offset = batch.offset

    async def rate_limit(self, live: LiveTurn, seconds: int | None = None) -> None:
        """A turn ends with a rate limit, of its provider where it says when it is over."""
        when = "" if seconds is None else f", retry in {seconds} seconds"
        error = Outcome(False, "rate_limited", f"429: rate limit{when}")
        await self.turns.end(live, Ending("fail", "turn_failed"), error)

    def add_task(self, id: str, key: str, **values: Any) -> None:
        """A task that is ready."""

        def work(tx: Tx) -> None:
            given = {"body": "x", "worker": "scripted"} | values
            tx.insert(Task, workflow_id=id, key=key, title=key, status="pending", **given)
            graph.unblock(tx, id)

        self.write(work)

    async def give(self, id: str, key: str) -> str:
        """A fresh worker has a task in hand; its name."""
        self.add_task(id, key)
        assert self.spawn(id)
        agents = self.reader.all(Agent, statements.AGENTS_OF, workflow_id=id)
        worker = agents[-1]

        def work(tx: Tx) -> None:
            args = {"task_id": key, "worker_id": worker.name}
            workflow = tx.need(Workflow, id)
            assign_task.handle(ToolCall(tx, self.context, workflow, agents[0], args))

        self.write(work)
        await self.turns.deliver()
        return worker.name

    def told(self, *globs: str, of: str | None = None) -> list[str]:
        """What health and recovery events there are, with the step or the agent they name."""
        rows = self.connection.execute("SELECT * FROM events ORDER BY seq").fetchall()
        found = []
        for row in rows:
            if not any(fnmatch(row["type"], glob) for glob in globs or ("health.*", "recovery.*")):
                continue
            if of is None or row["workflow_id"] == of:
                payload = journal.decode(row["payload"])
                words = [row["type"], payload.get("action"), payload.get("agent")]
                found.append(" ".join(str(word) for word in words if word))
        return found
