"""What a turn used and printed is counted once, and one that goes too far is ended."""

import asyncio
import json
import time
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from perles.agents.clis.session_log import SessionLog
from perles.agents.provider import AgentEvent, Kind, Outcome
from perles.config.model import Price
from perles.engine.turns import limits, live_turn_registry
from perles.engine.turns.ending import Ending
from perles.engine.turns.ingest import apply_batch
from perles.engine.turns.limits import TurnLimits
from perles.engine.turns.live import LiveTurn
from perles.executor.contract import Batch, Identity
from perles.store.events import journal
from perles.store.schema.agents import Agent, ProviderLimit, Turn
from tests.integration.health_world import HealthWorld
from tests.integration.scheduler_world import EndingTurns
from tests.integration.scripted_provider import ScriptedProvider
from tests.unit.waiting import until

SESSION = "session-0001"


class _Taker:
    """Adds up the tokens of lines."""

    def __init__(self) -> None:
        self._tokens = 0

    def take(self, line: Mapping[str, Any]) -> None:
        """One line."""
        self._tokens += line["tokens"]

    def event(self) -> AgentEvent | None:
        """What they are together."""
        data = {"tokens_in": self._tokens, "tokens_out": 0, "of_turn": True}
        return AgentEvent(Kind.USAGE, "", data)


class _Log(SessionLog):
    """Sessions of a CLI that writes each call into a file of its home."""

    marks = (b"tokens",)

    def _find(self, session_id: str) -> list[Path]:
        return [self.home / f"{session_id}.jsonl"]

    def taker(self, _totals: Mapping[str, float]) -> _Taker:
        """What adds up a turn."""
        return _Taker()


class Keeping(ScriptedProvider):
    """Its CLI keeps a file of its session."""

    name = "keeping"

    def session_log(self, environ: Mapping[str, str]) -> SessionLog:
        """Where that is."""
        return _Log(environ)


def _events(world: HealthWorld, type: str) -> list[dict[str, Any]]:
    query = "SELECT payload FROM events WHERE type = ? ORDER BY seq"
    found = [journal.decode(row[0]) for row in world.connection.execute(query, (type,))]
    return [{name: one[name] for name in one if name != "v"} for one in found]


def _turn(world: HealthWorld, live: LiveTurn) -> Turn:
    return world.reader.need(Turn, live.turn_id)


def _hear(world: HealthWorld, live: LiveTurn, *events: AgentEvent) -> None:
    batch = Batch(list(events), live.offset + 10, True)
    world.write(lambda tx: apply_batch(tx, live, batch))
    live.offset = batch.offset


def _usage(**data: Any) -> AgentEvent:
    return AgentEvent(Kind.USAGE, "", {"tokens_in": 0, "tokens_out": 0, **data})


def _prices(world: HealthWorld, **prices: Price) -> None:
    policy = replace(world.policy, prices=prices)
    world.context.config = replace(world.context.config, resource_policy=policy)


def test_totals_of_a_turn_are_counted_by_what_is_new_in_them(world: HealthWorld) -> None:
    async def run() -> None:
        live = world.live(await world.begin())
        _hear(world, live, _usage(tokens_in=10, of_turn=True), _usage(tokens_in=25, of_turn=True))
        _hear(world, live, _usage(tokens_in=20, of_turn=True))  # a lower one changes nothing
        _hear(world, live, _usage(tokens_in=5))

        assert _turn(world, live).tokens_in == 30
        assert [one.get("tokens_in") for one in _events(world, "agent.usage")] == [10, 15, 5]

    asyncio.run(run())


def test_the_last_word_on_a_turn_may_be_lower(world: HealthWorld) -> None:
    async def run() -> None:
        live = world.live(await world.begin())
        _hear(world, live, _usage(tokens_in=50, cost_usd=0.5, of_turn=True))
        _hear(world, live, _usage(tokens_in=40, cost_usd=0.4, of_turn=True, settled=True))

        turn = _turn(world, live)
        assert (turn.tokens_in, round(turn.cost_usd, 6)) == (40, 0.4)

    asyncio.run(run())


def test_without_money_of_its_own_a_turn_costs_what_the_table_says(world: HealthWorld) -> None:
    async def run() -> None:
        _prices(world, large=Price(input=2.0, output=10.0, cached=1.0))
        live = world.live(await world.begin())
        live.priced_by = ("large", "scripted")
        _hear(world, live, _usage(tokens_in=1000, tokens_out=100, tokens_cached=1000))

        assert round(_turn(world, live).cost_usd, 9) == 0.004

    asyncio.run(run())


@pytest.mark.parametrize(
    ("told", "differs"), [(0.0041, False), (0.004, False), (0.008, True), (0.001, True)]
)
def test_money_that_does_not_fit_the_tokens_is_told(
    world: HealthWorld, told: float, differs: bool
) -> None:
    async def run() -> None:
        _prices(world, large=Price(input=2.0, output=10.0))
        live = world.live(await world.begin())
        live.priced_by = ("large", "scripted")
        data = {"tokens_in": 1500, "tokens_out": 100, "cost_usd": told, "settled": True}
        _hear(world, live, _usage(of_turn=True, **data))

        expected = [{"told_usd": told, "tokens_usd": 0.004}] if differs else []
        assert _events(world, "agent.cost_differs") == expected

    asyncio.run(run())


def test_usage_is_counted_where_a_turn_may_have_no_more_events(world: HealthWorld) -> None:
    async def run() -> None:
        live = world.live(await world.begin())
        live.output.rows = 1
        _hear(
            world, live, AgentEvent(Kind.TEXT, "a"), AgentEvent(Kind.TEXT, "b"), _usage(tokens_in=7)
        )

        assert _turn(world, live).tokens_in == 7
        assert [one["text"] for one in _events(world, "coordinator.output")] == ["a"]
        assert len(_events(world, "turn.allowance_used_up")) == 1
        assert live.output.left_rows == 2

    asyncio.run(run())


def test_output_that_was_read_before_is_not_journalled_again(world: HealthWorld) -> None:
    async def run() -> None:
        live = world.live(await world.begin())
        _hear(world, live, AgentEvent(Kind.TEXT, "a"))
        live.offset = 0
        with pytest.raises(Exception, match="it was read beyond 0 before"):
            _hear(world, live, AgentEvent(Kind.TEXT, "a"))

        assert len(_events(world, "coordinator.output")) == 1

    asyncio.run(run())


# Limits that a CLI tells of.


def _row(world: HealthWorld, live: LiveTurn) -> Agent:
    return world.reader.need(Agent, live.agent_id)


def test_a_wait_that_a_cli_tells_of_is_shown_until_it_goes_on(world: HealthWorld) -> None:
    async def run() -> None:
        live = world.live(await world.begin())
        data = {"error_class": "rate_limited", "again_in": 30}
        _hear(world, live, AgentEvent(Kind.ERROR, "slow down", data))
        (told,) = _events(world, "agent.rate_limited")
        assert (told["error_class"], told["text"]) == ("rate_limited", "slow down")
        assert _row(world, live).held_until == told["until"]

        _hear(world, live, AgentEvent(Kind.TEXT, "on"))
        assert _row(world, live).held_until is None

    asyncio.run(run())


@pytest.mark.parametrize(
    "data",
    [
        {"error_class": "rate_limited", "again_in": 0.5},
        {"error_class": "rate_limited"},
        {"error_class": "invalid_request", "again_in": 30},
    ],
)
def test_what_is_no_wait_worth_showing_is_not_shown(
    world: HealthWorld, data: dict[str, Any]
) -> None:
    async def run() -> None:
        live = world.live(await world.begin())
        _hear(world, live, AgentEvent(Kind.ERROR, "x", data))

        assert _row(world, live).held_until is None
        assert _events(world, "agent.rate_limited") == []

    asyncio.run(run())


def test_a_window_that_comes_near_its_end_is_told_once(world: HealthWorld) -> None:
    def window(used: float, resets_at: str) -> AgentEvent:
        one = {"window": "5h", "used": used, "resets_at": resets_at}
        return AgentEvent(Kind.LIMIT, "", {"windows": [one]})

    async def run() -> None:
        live, later = world.live(await world.begin()), "2099-01-01T00:00:00.000Z"
        for used in (0.5, 0.95, 0.97):
            _hear(world, live, window(used, later))
        (told,) = _events(world, "provider.near_limit")
        assert (told["percent"], told["until"]) == (95, later)
        assert world.reader.need(ProviderLimit, "scripted/5h").used == 0.97
        # A window that began anew may come near its end again.
        world.connection.execute(
            "UPDATE provider_limits SET resets_at = '2000-01-01T00:00:00.000Z'"
        )
        _hear(world, live, window(0.96, later))

        assert len(_events(world, "provider.near_limit")) == 2

    asyncio.run(run())


# What a CLI writes down of its session.


@pytest.fixture
def kept(world: HealthWorld, tmp_path: Path) -> Path:
    """The file of the session of a CLI that keeps one; turns go through their whole end."""
    world.context.providers["", "keeping"] = Keeping()
    world.context.environ["HOME"] = str(tmp_path)
    world.crash(EndingTurns)
    return tmp_path / f"{SESSION}.jsonl"


async def _keeping(world: HealthWorld, session: str | None = SESSION) -> LiveTurn:
    id = world.request(1)
    world.connection.execute("UPDATE workflows SET provider = 'keeping' WHERE id = ?", (id,))
    await world.context.supervisor.start(id)
    agent = world.agent(id)
    world.write(lambda tx: tx.update(Agent, agent.id, provider_session_id=session))
    await world.turns.deliver()
    return world.live(id)


def _write(file: Path, *tokens: int | str) -> None:
    with file.open("a") as out:
        out.writelines(json.dumps({"tokens": one}) + "\n" for one in tokens)


def test_usage_is_read_from_the_session_while_a_turn_goes_on(
    world: HealthWorld, kept: Path
) -> None:
    async def run() -> None:
        _write(kept, 1000)  # of the turns before
        live = await _keeping(world)
        _write(kept, 3, 4)
        await world.turns.read_all()
        assert _turn(world, live).tokens_in == 7

        _write(kept, 5)
        await world.turns.read_all()
        assert _turn(world, live).tokens_in == 7  # it is not due again yet
        live.log_due_at = 0.0
        await world.turns.read_all()
        assert _turn(world, live).tokens_in == 12

        _write(kept, 1)
        await world.turns.finish(live)
        assert _turn(world, live).tokens_in == 13

    asyncio.run(run())


def test_an_engine_that_comes_later_counts_no_call_twice(world: HealthWorld, kept: Path) -> None:
    async def run() -> None:
        live = await _keeping(world)
        _write(kept, 3)
        await world.turns.read_all()
        world.crash()
        _write(kept, 4)
        again = LiveTurn.of(
            _turn(world, live),
            _row(world, live),
            Keeping(),
            world.context,
            world.context.environ,
        )
        world.turns.watch(again)
        await world.turns.read_all()

        assert _turn(world, live).tokens_in == 7

    asyncio.run(run())


def test_a_session_that_cannot_be_read_is_not_looked_at_any_more(
    world: HealthWorld, kept: Path
) -> None:
    async def run() -> None:
        live = await _keeping(world)
        _write(kept, "many")
        await world.turns.read_all()

        assert live.log is None
        assert live.ending is None

    asyncio.run(run())


# Limits on a turn.


class _Process:
    """Stands for a process that printed `size` bytes."""

    def __init__(self, size: int = 0, age: float = 0.0, silent: float = 0.0) -> None:
        self.identity = Identity(1, 1, "b")
        self.size_, self.age_, self.silent = size, age, silent

    def written(self) -> int:
        """How much it printed."""
        return self.size_

    def age(self) -> float:
        """How old it is."""
        return self.age_

    def silence(self) -> float:
        """For how long it printed nothing."""
        return self.silent


@pytest.mark.parametrize(
    ("process", "kind", "said"),
    [
        (_Process(), None, ""),
        (_Process(size=200), "output_limit", "it printed 200 bytes, the limit is 100"),
        (_Process(age=61), "timed_out", "it took longer than 1m (orchestration.timeouts.turn)"),
        (_Process(silent=31), "timed_out", "it printed nothing for 30s"),
    ],
)
def test_a_turn_is_ended_for_the_limit_that_it_breaks(
    world: HealthWorld, process: _Process, kind: str | None, said: str
) -> None:
    async def run() -> None:
        live = world.live(await world.begin())
        live.process = process  # type: ignore[assignment]
        config = world.context.config
        config = replace(
            config,
            limits=replace(config.limits, turn_output=100),
            timeouts=replace(config.timeouts, turn=60.0, silence=30.0),
        )
        found = TurnLimits().broken_by(live, config)

        assert (found and found.error_class) == kind
        assert said in str(found and found.error)

    asyncio.run(run())


def test_a_turn_is_looked_at_once_a_second_and_silence_ends_with_a_line(
    world: HealthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(limits, "time", SimpleNamespace(monotonic=lambda: now[0]))

    async def run() -> None:
        live = world.live(await world.begin())
        live.process = process = _Process(size=1, silent=29.0)  # type: ignore[assignment]
        config = world.context.config
        config = replace(config, timeouts=replace(config.timeouts, silence=30.0))
        look = TurnLimits().broken_by
        assert look(live, config) is None
        now[0] += 0.5
        process.size_ = 2
        assert look(live, config) is None
        assert live.written == 1  # that was too soon
        now[0] += 0.6
        assert look(live, config) is None
        now[0] += 30.5
        found = look(live, config)

        assert found is not None
        assert "printed nothing for 30s" in str(found.error)

    asyncio.run(run())


def test_a_turn_beyond_its_limit_fails_and_is_told_so(
    world: HealthWorld, kept: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def run() -> None:
        live = await _keeping(world)
        path = world.context.paths.found(_turn(world, live).stdout_path)
        with path.open("w") as file:
            file.write("line\n" * 100)
        config = world.context.config
        config = replace(config, limits=replace(config.limits, turn_output=50))
        world.context.config = config
        await world.turns.read_all()
        await world.turns.settle()

        turn = _turn(world, live)
        assert (turn.status, turn.error_class) == ("failed", "output_limit")

    asyncio.run(run())


def test_a_cli_that_goes_on_in_vain_is_ended(world: HealthWorld, kept: Path) -> None:
    async def run() -> None:
        live = await _keeping(world)
        data = {"error_class": "auth", "ends_turn": True}
        batch = Batch([AgentEvent(Kind.ERROR, "log in first", data)], 10, True)
        world.turns._end_hopeless(live, batch)
        await world.turns.settle()

        turn = _turn(world, live)
        assert (turn.status, turn.error_class) == ("failed", "auth")
        assert str(turn.error).startswith("log in first")

    asyncio.run(run())


class _Settled:
    """A parser that has heard how its turn ended."""

    def feed(self, _line: str) -> list[AgentEvent]:
        """Nothing."""
        return []

    def outcome(self, _code: int | None, _tail: str) -> Outcome:
        """It had told its result."""
        return Outcome(True, text="all done")


@pytest.mark.parametrize(("parser", "status"), [(_Settled(), "succeeded"), (None, "timed_out")])
def test_a_turn_that_only_lingered_after_its_result_did_well(
    world: HealthWorld, kept: Path, parser: _Settled | None, status: str
) -> None:
    async def run() -> None:
        live = await _keeping(world)
        live.parser = parser or live.parser
        await world.turns._end_for(live, Outcome(False, "timed_out", "it took longer than 1m"))

        assert _turn(world, live).status == status

    asyncio.run(run())


def test_a_coordinator_that_declared_the_end_gets_time_and_no_more(
    world: HealthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(live_turn_registry, "COORDINATOR_GRACE", 0.05)

    async def run() -> None:
        first, second = await world.begin(), await world.begin()
        begun = time.monotonic()
        ends = asyncio.ensure_future(world.turns.let_end(first))
        world.live(first).done.set()
        await ends
        await world.turns.let_end(second)  # it does not end

        assert time.monotonic() - begun >= 0.05
        assert not world.live(second).done.is_set()

    asyncio.run(run())


def test_a_service_that_is_ended_well_is_waited_for(world: HealthWorld) -> None:
    async def run() -> None:
        id = await world.begin()
        live = world.live(id)
        live.role, live.ending = "worker", Ending("succeed", "turn_ended")
        waits = asyncio.ensure_future(world.turns.let_end(id))
        await asyncio.sleep(0)
        assert not waits.done()
        live.done.set()
        await until(waits.done)

    asyncio.run(run())
