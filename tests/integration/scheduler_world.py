"""A world without processes for the scheduler: its own code on a real database, time by hand.

Turns, the supervisor, the leases and the budgets are the product's; only what would
start or signal a process is left out. Every step ends as a step of the engine does,
and then `check` looks at everything that is promised.
"""

import socket
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Never, TypeVar, cast

from perles.agents.provider import AgentEvent, Kind, Launch, Outcome
from perles.config.home import Paths
from perles.config.model import Config, ResourcePolicy
from perles.domain.clock import ManualClock, from_text
from perles.domain.commands import Set
from perles.domain.errors import NoWorkerSlotError, PerlesError
from perles.domain.priority import Waiting
from perles.domain.states import AgentTrigger, TurnTrigger, WorkflowTrigger
from perles.engine.commands import queue as command_queue
from perles.engine.commands.base import ToolCall
from perles.engine.commands.tools import spawn_worker
from perles.engine.resources import audit, budgets, leases, priority_queue, worker_slots
from perles.engine.services import Services
from perles.engine.supervision.supervisor import Supervisor
from perles.engine.turns import queue, runner
from perles.engine.turns.ending import Ending
from perles.engine.turns.ingest import apply_batch
from perles.engine.turns.live import LiveTurn
from perles.engine.turns.runner import Turns
from perles.engine.turns.start import begin as begin_turn
from perles.executor.contract import Batch, Identity
from perles.executor.local import processes
from perles.executor.local.executor import LocalExecutor
from perles.fabric import messages
from perles.store import place, statements
from perles.store.database import Database
from perles.store.events import journal
from perles.store.reader import Reader
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.engine import Command
from perles.store.schema.workflows import Workflow
from perles.store.sqlite.transactions import begin, roll_back
from perles.store.transaction import Tx
from perles.workflows.settings import change
from tests.integration.scripted_provider import ScriptedProvider

T = TypeVar("T")
LINE = 100
"""Tokens of one usage line."""
PORTS = 8


def in_transaction(database: Database, connection: Any, work: Callable[[Tx], T]) -> T:
    """What `work` gives, in one transaction of this connection."""
    begin(connection, database.path)
    try:
        tx = Tx(connection, database.now(), database.secrets)
        result = work(tx)
        tx.settle()
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise
    return result


def unsynced(connection: Any) -> None:
    """Have commits not wait for the disk: no power is cut here."""
    if not place.is_server(connection):
        connection.execute("PRAGMA synchronous=OFF")


class World:
    """One database and one engine's worth of memory, which `crash` throws away."""

    def __init__(self, root: Path, first_port: int) -> None:
        self.clock = ManualClock()
        self.database = Database(root / "perles.db", self.clock)
        self.connection = self.database.connect()
        unsynced(self.connection)
        self.work_dir = root
        self.made = 0
        policy = ResourcePolicy(3, 5, 3, 0, first_port, first_port + PORTS - 1)
        self.context = Services(
            paths=Paths(root),
            config=Config(resource_policy=policy),
            database=self.database,
            writer=cast(Any, SimpleNamespace(write=self._write)),
            reader=Reader(self.connection),
            environ={},
            executor=LocalExecutor(),
            reload=self._no_reload,
            kick=lambda: None,
        )
        self.context.providers["", "scripted"] = ScriptedProvider()
        self.before: Counter[str] = Counter()
        self._kind_of_turns: type[StillTurns] = StillTurns
        self.crash()

    @property
    def reader(self) -> Reader:
        """To read on."""
        return self.context.reader

    @property
    def policy(self) -> ResourcePolicy:
        """The limits as they are now."""
        return self.context.policy()

    def close(self) -> None:
        """Let go of the files."""
        self.connection.close()
        self.database.dispose()

    def write(self, work: Callable[[Tx], T]) -> T:
        """One transaction."""
        return in_transaction(self.database, self.connection, work)

    async def _write(self, work: Callable[[Tx], T]) -> T:
        return self.write(work)

    async def _no_reload(self) -> Never:
        raise AssertionError("nobody asked for that")

    # What can happen.

    def request(self, priority: int, *, token_budget: int = 0) -> str:
        """A workflow is created and asks to be started."""
        self.made += 1
        id = f"wf-{self.made:08d}"

        def insert(tx: Tx) -> None:
            tx.insert(
                Workflow,
                id=id,
                template_id="t",
                name=id,
                state="pending",
                priority=priority,
                work_dir=str(self.work_dir),
                provider="scripted",
                max_workers=4,
                token_budget=token_budget,
                start_requested_at=tx.now,
            )

        self.write(insert)
        return id

    async def pause(self, id: str) -> None:
        """A person pauses a workflow."""
        await self.context.supervisor.pause(id)

    async def resume(self, id: str) -> bool:
        """A person resumes a workflow; whether there was room."""
        result = await self.context.supervisor.resume(id)
        return bool(result["status"] == "running")

    async def end(self, id: str, trigger: str) -> None:
        """A workflow ends."""
        await self.context.supervisor.end(
            id, cast(WorkflowTrigger, trigger), reason=None, patient=False
        )

    def set_priority(self, id: str, priority: str) -> None:
        """A person re-orders the line."""
        self.write(lambda tx: change(tx, id, Set(priority=priority)))

    def spawn(self, id: str) -> bool:
        """A coordinator asks for a worker; whether it got one."""
        coordinator = self.reader.first(Agent, statements.COORDINATOR_OF, workflow_id=id)
        assert coordinator is not None

        def call(tx: Tx) -> None:
            workflow = tx.need(Workflow, id)
            spawn_worker.handle(ToolCall(tx, self.context, workflow, coordinator, {}))

        try:
            self.write(call)
        except NoWorkerSlotError as error:
            if error.waits:
                self.write(lambda tx: worker_slots.ask_for_worker(tx, id, "none"))
            return False
        except PerlesError:
            return False  # the workflow has all the workers it may have
        return True

    def tell(self, agent: Agent) -> None:
        """Somebody writes to an agent."""
        self.write(lambda tx: messages.post(tx, agent, sender="x", kind="user", body="go on"))

    def spend(self, live: LiveTurn) -> None:
        """A turn prints a usage line."""
        usage = AgentEvent(Kind.USAGE, "", {"tokens_in": LINE, "tokens_out": 0})
        batch = Batch([usage], live.offset + 10, True)
        self.write(lambda tx: apply_batch(tx, live, batch))
        live.offset = batch.offset

    async def finish(self, live: LiveTurn, trigger: str) -> None:
        """A turn's process ends."""
        agent: AgentTrigger = "turn_ended" if trigger == "succeed" else "turn_failed"
        outcome = Outcome(trigger == "succeed", None, None if trigger == "succeed" else "broken")
        await self.turns.end(live, Ending(cast(TurnTrigger, trigger), agent), outcome)

    def crash(self, kind: "type[StillTurns] | None" = None) -> None:
        """The engine dies and another one comes: memory is new, rows are what they were.

        Its turns are of this kind, else as before.
        """
        if kind is not None:
            self._kind_of_turns = kind
        self.turns = self._kind_of_turns(self.context)
        self.context.turns = self.turns
        self.context.supervisor = Supervisor(self.context, self.turns, cast(Any, NoServers()))
        for workflow in self.reader.all(Workflow, statements.RUNNING_WORKFLOWS):
            self.context.served.add(workflow.id)
        for turn in self.reader.all(Turn, statements.OPEN_TURNS):
            agent = self.reader.need(Agent, turn.agent_id)
            provider = self.context.provider(agent.provider)
            self.turns.watch(LiveTurn.of(turn, agent, provider, self.context))

    def torn(self, agent: Agent) -> None:
        """The engine dies inside the transaction that starts a turn."""

        def work(tx: Tx) -> None:
            begin_turn(tx, self.context, agent.id)
            raise _TornError

        try:
            self.write(work)
        except _TornError:
            self.crash()

    def limit(self, **limits: int) -> None:
        """Somebody changes the configuration."""
        policy = replace(self.policy, **limits)  # type: ignore[arg-type]
        self.context.config = replace(self.context.config, resource_policy=policy)

    async def step(self) -> None:
        """What the engine does after every change; its promises are looked at on the way."""
        await self._carry_out()
        waiting = self._callers()
        started = await self._deliver()
        self._check_calls(waiting, started)
        if worker_slots.offers_due(self.reader, self.policy):
            self.write(lambda tx: worker_slots.offer_workers(tx, self.policy))
        await self._admit()
        self.check()

    async def _carry_out(self) -> None:
        """The commands that a used up budget queued."""
        for row in self.reader.rows(command_queue.QUEUED_COMMANDS):
            command = self.reader.need(Command, row["id"])
            id = str(command.workflow_id)
            if self.reader.need(Workflow, id).state == "running":
                reason = journal.decode(command.args)["reason"]
                await self.context.supervisor.end(id, "fail", reason=reason, patient=False)
            self.connection.execute("DELETE FROM commands WHERE id = ?", (command.id,))

    async def _deliver(self) -> list[Waiting]:
        before = set(self.turns.lives)
        waiting = {one.agent_id: one for one in self._callers()}
        await self.context.turns.deliver()
        new = [live for id, live in self.turns.lives.items() if id not in before]
        for live in new:
            workflow = self.reader.need(Workflow, live.workflow_id)
            assert not workflow.token_budget or workflow.tokens_used < workflow.token_budget
        return [waiting[live.agent_id] for live in new]

    def _callers(self) -> list[Waiting]:
        """Whoever has messages and budget, and could be called now."""
        since = {r["agent_id"]: r["created_at"] for r in self.reader.rows(queue.QUEUED_TURNS)}
        found = []
        ready = self.reader.all(Agent, runner.DELIVERABLE, now=self.database.now())
        for agent in worker_slots.with_slots(self.reader, self.policy, ready):
            workflow = self.reader.need(Workflow, agent.workflow_id)
            if budgets.room(self.reader, self.policy, workflow, agent.role) is None:
                continue
            asked = from_text(since.get(agent.id, self.database.now())).timestamp()
            role = agent.role == "coordinator"
            found.append(Waiting(agent.id, workflow.id, workflow.priority, role, asked))
        return found

    def _check_calls(self, waiting: list[Waiting], started: list[Waiting]) -> None:
        """Nobody was passed by a later one, but by one that kept its workflow from the last call.

        The bound: while a request waits, at most those that rank before it, and the
        last call of another workflow, are granted.
        """
        held = Counter(live.workflow_id for live in self.turns.lives.values())
        left = [one for one in self._callers() if one in waiting]
        for one in left:
            for other in started:
                passed = other.rank > one.rank
                assert not passed or held[one.workflow_id] >= self.policy.max_ai_calls - 1, (
                    one,
                    other,
                    held,
                )
        assert not left or held.total() >= self.policy.max_ai_calls
        for other in started:
            alone = held[other.workflow_id] == self.policy.max_ai_calls > 1
            assert not alone or not [o for o in left if o.workflow_id != other.workflow_id]

    async def _admit(self) -> None:
        """As the engine does; nobody starts before one that ranks before it."""
        while True:
            free = self.policy.max_workflows_running - self._held("workflow")
            if free <= 0:
                return
            line, passed = priority_queue.first_in_line(self.reader, self.policy, 1, [])
            if passed:  # it is paused, and needs a slot for one of its workers
                assert self._held("worker") >= self.policy.max_workers
                assert (await self.context.supervisor.admit(passed[0].id))["status"] == "waiting"
            if not line:
                return
            first = [row[0] for row in self._rows(_FIRST)]
            assert first == [(passed or line)[0].id]
            result = await self.context.supervisor.admit(line[0].id)
            if result["status"] == "waiting":
                assert "port" in result["reason"]
                assert self._held("port") >= PORTS
                return

    def _held(self, kind: str) -> int:
        return int(self.reader.value(leases.COUNT_LEASES, kind=kind))

    def check(self) -> None:
        """No limit is exceeded, and leases are exactly what their holders need."""
        policy, now = self.policy, Counter(dict(self._rows(_LEASES)))
        limits = {
            "workflow": policy.max_workflows_running,
            "worker": policy.max_workers,
            "ai_call": policy.max_ai_calls,
            "port": PORTS,
        }
        for kind, limit in limits.items():
            # A lowered limit ends nothing, but it grants nothing either.
            assert now[kind] <= max(limit, self.before[kind]), kind
        self.before = now
        expected = {row[0]: row[1] for row in self._rows(_HOLDERS)}
        assert {kind: now[kind] for kind in expected} == expected
        assert self._rows(_WORKERS_AMISS) == []
        assert self.reader.rows(audit.LOST_LEASES) == []
        assert self.reader.rows(audit.LOST_QUEUED_TURNS) == []

    def _rows(self, query: str) -> list[Any]:
        rows: list[Any] = self.connection.execute(query).fetchall()
        return rows

    def workflows(self, *states: str) -> list[str]:
        """The ids of the workflows in these states."""
        marks = ", ".join("?" * len(states))
        query = f"SELECT id FROM workflows WHERE state IN ({marks}) ORDER BY id"
        return [row[0] for row in self.connection.execute(query, states)]

    def agents(self) -> list[Agent]:
        """The agents of running workflows that live."""
        found = []
        for id in self.workflows("running"):
            found += self.reader.all(Agent, statements.AGENTS_OF, workflow_id=id)
        return [agent for agent in found if agent.status in ("ready", "working")]


class _TornError(Exception):
    """The process is gone."""


class NoPorts:
    """Stands for the process that holds ports."""

    async def hold(self, _workflow_id: str, listener: socket.socket) -> None:
        """Nobody listens: leases alone tell which ports are held."""
        listener.close()

    async def drop(self, _workflow_id: str) -> None:
        """Nothing was held."""

    def held(self, _workflow_id: str) -> socket.socket | None:
        """Nothing is held."""
        return None

    async def drop_others(self, _kept: set[str]) -> None:
        """Nothing was held."""


class NoServers:
    """Stands for the MCP servers."""

    def __init__(self) -> None:
        self.ports = NoPorts()

    def need(self) -> None:
        """Its servers can always be had."""

    def open(self, _workflow_id: str, _port: int) -> None:
        """Nobody listens."""

    async def close(self, _workflow_id: str) -> None:
        """Nobody listened."""


class StillTurns(Turns):
    """Turns whose processes are only said to live."""

    @property
    def lives(self) -> dict[int, LiveTurn]:
        """The live turns."""
        return self._live

    async def _spawn(self, live: LiveTurn, launch: Launch, workflow: Workflow) -> None:
        live.process.identity = Identity(2**22 + live.turn_id, 1, "another boot")

    def watch(self, live: LiveTurn) -> None:
        """Nothing ends by itself."""
        self._live[live.turn_id] = live

    async def end(self, live: LiveTurn, ending: Ending, outcome: Outcome) -> None:
        """The process has ended."""
        await self._conclude(live, ending, outcome, 0, None)

    async def interrupt(self, lives: list[LiveTurn], ending: Ending, *, grace: float) -> None:
        """Whoever is told to end does."""
        for live in lives:
            await self.end(live, ending, Outcome(False, None, "interrupted"))


class EndingTurns(StillTurns):
    """Turns that go through their whole end, as if their processes ended when they are told to."""

    async def interrupt(self, lives: list[LiveTurn], ending: Ending, *, grace: float) -> None:
        """Whoever is told to end does."""
        for live in lives:
            live.ending = live.ending or ending
            await self.finish(live)


def without_processes(monkeypatch: Any) -> None:
    """No process is looked for."""
    monkeypatch.setattr(processes, "family", lambda *_args, **_kwargs: [])
    monkeypatch.setattr(processes, "signal_family", lambda *_args, **_kwargs: 0)


_FIRST = """
SELECT id FROM workflows WHERE state IN ('pending', 'paused') AND start_requested_at IS NOT NULL
ORDER BY julianday(start_requested_at) * 86400 - 600 * priority, start_requested_at, id LIMIT 1
"""
_LEASES = "SELECT kind, count(*) FROM leases GROUP BY kind"
_HOLDERS = """
SELECT 'workflow', count(*) FROM workflows WHERE state = 'running'
UNION ALL SELECT 'port', count(*) FROM workflows WHERE state = 'running'
UNION ALL SELECT 'ai_call', count(*) FROM turns WHERE status IN ('starting', 'running')
"""
_WORKERS_AMISS = """
SELECT a.id, 'works without a slot' FROM agents a WHERE a.role = 'worker' AND a.status = 'working'
    AND NOT EXISTS (SELECT 1 FROM leases l WHERE l.agent_id = a.id AND l.kind = 'worker')
UNION ALL SELECT a.id, 'holds a slot and does not live' FROM leases l
    JOIN agents a ON a.id = l.agent_id JOIN workflows w ON w.id = a.workflow_id
    WHERE l.kind = 'worker' AND (a.status NOT IN ('ready', 'working') OR w.state <> 'running')
"""
