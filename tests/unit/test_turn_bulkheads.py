"""What goes wrong with one turn, at whatever moment, ends that turn, and the others go on."""

import asyncio
import errno
from collections.abc import Callable, Mapping, Sequence
from types import SimpleNamespace
from typing import Any

import pytest

from perles.agents.provider import AgentEvent, Launch, Letter, Outcome, TurnContext
from perles.domain.errors import DatabaseError, UsageError
from perles.engine.bulkhead import UNHANDLED
from perles.engine.remote_turns import Elsewhere, Where
from perles.engine.turns import runner, start_pauses
from perles.engine.turns.ending import Ending
from perles.engine.turns.live import LiveTurn
from perles.executor.contract import Identity, SpawnError
from perles.executor.remote.errors import UnreachableError
from perles.store import statements
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from tests.integration.health_world import HealthWorld
from tests.integration.scheduler_world import EndingTurns
from tests.integration.scripted_provider import ScriptedParser, ScriptedProvider

Act = Callable[[], None]


class Acting(ScriptedProvider):
    """Does what a test says at a moment of a turn."""

    name = "acting"

    def __init__(self) -> None:
        super().__init__()
        self.acts: dict[str, Act] = {}

    def at(self, moment: str) -> None:
        """Do what is said of this moment."""
        self.acts.get(moment, lambda: None)()

    def launch(self, turn: TurnContext) -> Launch:
        """As the builtin one."""
        self.at("launch")
        return super().launch(turn)

    def prompt(self, letters: Sequence[Letter]) -> str:
        """As the builtin one."""
        self.at("prompt")
        return super().prompt(letters)

    def parser(self, _totals: Mapping[str, float] | None = None) -> ScriptedParser:
        """As the scripted one."""
        self.at("parser")
        return ActingParser(self)


class ActingParser(ScriptedParser):
    """Tells its provider of each line, and of the end."""

    def __init__(self, provider: Acting) -> None:
        self._provider = provider

    def feed(self, line: str) -> list[AgentEvent]:
        """As the scripted one."""
        self._provider.at("feed")
        return super().feed(line)

    def outcome(self, exit_code: int | None, stderr_tail: str) -> Outcome:
        """As the builtin one."""
        self._provider.at("outcome")
        return super().outcome(exit_code, stderr_tail)


@pytest.fixture
def acting(world: HealthWorld) -> Acting:
    """A provider that one workflow has, where turns go through their whole end."""
    made = Acting()
    world.context.providers["", "acting"] = made
    world.crash(EndingTurns)
    return made


@pytest.fixture
def now(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The monotonic time of what starts turns, driven by hand."""
    time = [1000.0]
    monkeypatch.setattr(start_pauses, "time", SimpleNamespace(monotonic=lambda: time[0]))
    return time


def _raise(error: BaseException) -> Act:
    def act() -> None:
        raise error

    return act


def _two(world: HealthWorld) -> tuple[str, str]:
    """A workflow whose coordinator's provider acts, and one with nothing special."""
    first, second = world.request(1), world.request(1)
    query = "UPDATE workflows SET provider = 'acting' WHERE id = ?"
    world.connection.execute(query, (first,))
    return first, second


async def _begun(world: HealthWorld) -> tuple[str, str]:
    first, second = _two(world)
    for id in (first, second):
        await world.context.supervisor.start(id)
    await world.turns.deliver()
    await world.turns.settle()
    return first, second


def _turns(world: HealthWorld, id: str) -> list[Turn]:
    found = world.connection.execute(
        "SELECT id FROM turns WHERE workflow_id = ? ORDER BY id", (id,)
    ).fetchall()
    return [world.reader.need(Turn, row[0]) for row in found]


def _queued(world: HealthWorld, id: str) -> int:
    return len(world.reader.rows(statements.QUEUED_MESSAGES, agent_id=world.agent(id).id))


def _print(world: HealthWorld, live: LiveTurn, text: str) -> None:
    turn = world.reader.need(Turn, live.turn_id)
    path = world.context.paths.found(turn.stdout_path)
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a") as file:
        file.write(text)


def _said(world: HealthWorld, id: str) -> list[str]:
    query = (
        "SELECT json_extract(payload, '$.text') FROM events WHERE workflow_id = ?"
        " AND type = 'coordinator.output' ORDER BY seq"
    )
    return [row[0] for row in world.connection.execute(query, (id,))]


@pytest.mark.parametrize("moment", ["prompt", "parser", "launch"])
def test_a_provider_that_raises_while_a_turn_starts_fails_that_turn_alone(
    world: HealthWorld, acting: Acting, moment: str
) -> None:
    acting.acts[moment] = _raise(ValueError("no good"))

    first, second = asyncio.run(_begun(world))

    (turn,) = _turns(world, first)
    assert (turn.status, turn.error_class) == ("failed", "crashed")
    assert str(turn.error).startswith(UNHANDLED)
    assert "no good" in str(turn.error)
    assert world.live(second).workflow_id == second


@pytest.mark.parametrize(
    ("error", "kind"),
    [(UsageError("cannot find it"), "invalid_request"), (SpawnError("no such file"), "crashed")],
)
def test_a_refusal_to_start_is_told_in_its_own_words(
    world: HealthWorld, acting: Acting, error: Exception, kind: str
) -> None:
    acting.acts["launch"] = _raise(error)

    first, _ = asyncio.run(_begun(world))

    (turn,) = _turns(world, first)
    assert (turn.status, turn.error_class, turn.error) == ("failed", kind, str(error))


def test_a_machine_that_is_short_of_something_loses_no_message_and_is_left_alone_for_a_moment(
    world: HealthWorld, acting: Acting, now: list[float]
) -> None:
    acting.acts["launch"] = _raise(OSError(errno.EMFILE, "too many open files"))

    async def run() -> None:
        first, second = await _begun(world)
        assert [turn.status for turn in _turns(world, first)] == ["lost"]
        assert _queued(world, first) == 1
        del acting.acts["launch"]

        await world.turns.deliver()
        assert not world.turns.of(first)
        now[0] += start_pauses.PAUSE_SECONDS
        await world.turns.deliver()

        assert world.live(first).number == 2
        assert world.live(second).number == 1

    asyncio.run(run())


def test_a_shortage_before_a_turn_is_committed_leaves_nothing_behind(
    world: HealthWorld, acting: Acting, now: list[float]
) -> None:
    acting.acts["prompt"] = _raise(OSError(errno.ENOSPC, "no space left"))

    async def run() -> None:
        first, _ = await _begun(world)
        assert _turns(world, first) == []
        assert _queued(world, first) == 1

        del acting.acts["prompt"]
        now[0] += start_pauses.PAUSE_SECONDS
        await world.turns.deliver()

        assert world.live(first).number == 1

    asyncio.run(run())


def test_a_node_that_does_not_answer_holds_up_its_own_agents_only(
    world: HealthWorld, acting: Acting, now: list[float]
) -> None:
    async def run() -> None:
        first, second = _two(world)
        await world.context.supervisor.start(first)
        agent = world.agent(first)
        world.write(lambda tx: tx.update(Agent, agent.id, node="n1"))
        world.context.remote = _Away()  # type: ignore[assignment]
        world.context.placing = _Stay()
        await world.turns.deliver()
        await world.turns.settle()
        assert [turn.status for turn in _turns(world, first)] == ["lost"]

        await world.context.supervisor.start(second)
        await world.turns.deliver()
        await world.turns.settle()
        assert world.live(second).number == 1
        assert [turn.status for turn in _turns(world, first)] == ["lost"]

        now[0] += start_pauses.PAUSE_SECONDS
        await world.turns.deliver()
        await world.turns.settle()
        assert len(_turns(world, first)) == 2

    asyncio.run(run())


def test_a_node_that_is_short_of_something_holds_up_its_own_agents_only(
    world: HealthWorld, acting: Acting, now: list[float]
) -> None:
    short = SpawnError("too many processes there")
    short.__cause__ = OSError(errno.EAGAIN, "too many processes there")
    acting.acts["launch"] = _raise(short)

    async def run() -> None:
        first, second = _two(world)
        await world.context.supervisor.start(first)
        agent = world.agent(first)
        world.write(lambda tx: tx.update(Agent, agent.id, node="n1"))
        world.context.remote = _There(world)  # type: ignore[assignment]
        world.context.placing = _Stay()
        await world.turns.deliver()
        await world.turns.settle()
        assert [turn.status for turn in _turns(world, first)] == ["lost"]

        await world.context.supervisor.start(second)
        await world.turns.deliver()
        assert world.live(second).number == 1
        assert not world.turns.of(first)

        del acting.acts["launch"]
        now[0] += start_pauses.PAUSE_SECONDS
        await world.turns.deliver()
        await world.turns.settle()
        assert world.live(first).number == 2

    asyncio.run(run())


class _Stay:
    """Has each agent stay where it is."""

    async def with_room(self, agents: Sequence[Agent]) -> list[Agent]:
        """All of them."""
        return list(agents)

    def avoid(self, _node: str) -> None:
        """There is no other one."""

    def choose(self, _tx: Tx, _workflow: Workflow, agent: Agent) -> Where:
        """Where it is."""
        return Where(agent.node)

    def took(self, _tx: Tx, _workflow: Workflow, _agent: Agent, _node: str | None) -> None:
        """It is there already."""


class _There:
    """The way to a machine that is ready."""

    def __init__(self, world: HealthWorld) -> None:
        self._folder = world.work_dir

    async def prepare(self, *_given: object) -> Elsewhere:
        """It has all that is needed."""
        return Elsewhere("n1", self._folder, self._folder, "http://127.0.0.1:1/mcp")


class _Away:
    """The way to a machine that does not answer."""

    async def prepare(self, *_given: object) -> None:
        """It cannot be asked."""
        raise UnreachableError("n1", "it does not answer")


def test_a_turn_whose_workflow_is_closed_as_it_begins_has_no_process(
    world: HealthWorld, acting: Acting
) -> None:
    first, second = _two(world)
    acting.acts["parser"] = lambda: world.context.closing.add(first)

    async def run() -> None:
        for id in (first, second):
            await world.context.supervisor.start(id)
        await world.turns.deliver()

    asyncio.run(run())
    (turn,) = _turns(world, first)
    assert (turn.status, turn.pid) == ("interrupted", None)
    assert _queued(world, first) == 1
    assert not world.turns.of(first)


def test_a_turn_that_is_interrupted_while_its_launch_is_looked_up_has_no_process(
    world: HealthWorld, acting: Acting
) -> None:
    first, second = _two(world)

    def cut() -> None:
        world.live(first).ending = Ending("interrupt", "pause")

    acting.acts["launch"] = cut

    async def run() -> None:
        for id in (first, second):
            await world.context.supervisor.start(id)
        await world.turns.deliver()

    asyncio.run(run())
    (turn,) = _turns(world, first)
    assert (turn.status, turn.pid) == ("interrupted", None)
    assert world.agent(first).status == "paused"


def test_output_is_journalled_once_also_where_a_commit_failed(
    world: HealthWorld, acting: Acting, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        first, second = await _begun(world)
        _print(world, world.live(first), "one\n")
        write, tries = world.context.writer.write, [0]

        async def failing(work: Any) -> Any:
            tries[0] += 1
            raise DatabaseError("the disk is full")

        monkeypatch.setattr(world.context.writer, "write", failing)
        await world.turns.read_all()
        assert (tries[0], _said(world, first)) == (1, [])
        assert world.live(first).troubled

        monkeypatch.setattr(world.context.writer, "write", write)
        await world.turns.read_all()
        _print(world, world.live(first), "two\n")
        await world.turns.read_all()

        assert _said(world, first) == ["one", "two"]
        assert not world.live(first).troubled
        assert world.live(second).offset == 0

    asyncio.run(run())


@pytest.mark.parametrize("moment", ["feed", "outcome"])
def test_a_parser_that_raises_ends_its_own_turn(
    world: HealthWorld, acting: Acting, moment: str
) -> None:
    async def run() -> None:
        first, second = await _begun(world)
        acting.acts[moment] = _raise(MemoryError())
        for id in (first, second):
            _print(world, world.live(id), "a line\n")
        await world.turns.read_all()
        await world.turns.settle()
        if moment == "outcome":
            await world.turns.finish(world.live(first))

        (turn,) = _turns(world, first)
        assert (turn.status, turn.error_class) == ("failed", "crashed")
        assert str(turn.error).startswith(f"{UNHANDLED}: MemoryError")
        assert _said(world, second) == ["a line"]
        assert world.live(second).ending is None

    asyncio.run(run())


def test_a_workflow_whose_turns_cannot_even_be_ended_fails(
    world: HealthWorld, acting: Acting, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        first, second = await _begun(world)
        live = world.live(first)

        async def broken(one: LiveTurn, *given: Any, **named: Any) -> None:
            if one is live:
                raise KeyError("a damaged row")
            await EndingTurns._conclude(world.turns, one, *given, **named)

        monkeypatch.setattr(world.turns, "_conclude", broken)
        await world.turns.finish(live)

        assert live.done.is_set()
        rows = world.connection.execute("SELECT workflow_id, kind, args FROM commands").fetchall()
        assert [(row[0], row[1]) for row in rows] == [(first, "fail")]
        assert "a damaged row" in rows[0][2]
        assert world.live(second).ending is None

    asyncio.run(run())


def test_a_turn_without_a_live_process_that_raises_is_failed_by_its_row(
    world: HealthWorld, acting: Acting
) -> None:
    async def run() -> None:
        first, _ = await _begun(world)
        (turn,) = _turns(world, first)
        world.turns.lives.clear()

        await world.turns.abandon(turn, ValueError("nobody expected this"))

        (turn,) = _turns(world, first)
        assert turn.status == "failed"
        assert "nobody expected this" in str(turn.error)

    asyncio.run(run())


def test_of_very_many_turns_a_share_is_read_each_time_and_each_has_its_round(
    world: HealthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(runner, "MIN_SHARE", 2)
    monkeypatch.setattr(runner, "ROUNDS", 2)

    async def run() -> None:
        ids = [await world.begin() for _ in range(5)]
        for id in ids:
            _print(world, world.live(id), "x\n")
        await world.turns.read_all()
        heard = [id for id in ids if _said(world, id)]
        assert len(heard) == 3

        await world.turns.read_all()
        assert [_said(world, id) for id in ids] == [["x"]] * 5

    asyncio.run(run())


def test_a_start_that_cannot_be_noted_now_is_noted_at_the_next_look(
    world: HealthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A node told late which process it is; the database is locked just then."""

    async def run() -> None:
        id = world.request(1)
        await world.begin(id)
        live = world.live(id)
        query = "UPDATE turns SET status = 'starting' WHERE id = ?"
        world.connection.execute(query, (live.turn_id,))
        live.is_starting, live.process.identity = True, Identity(1, 2, "boot")
        failing: list[int] = [1]
        write = world.context.writer.write

        async def locked(work: Callable[[Tx], Any]) -> Any:
            if failing.pop() if failing else False:
                raise DatabaseError("database is locked")
            return await write(work)

        monkeypatch.setattr(world.context.writer, "write", locked)
        await world.turns.read_all()
        assert _turns(world, id)[0].status == "starting"

        await world.turns.read_all()
        assert _turns(world, id)[0].status == "running"

    asyncio.run(run())
