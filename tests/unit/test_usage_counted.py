"""Usage as agent CLIs tell it: recorded turns of two versions, one of them killed in its middle."""

import json
import os
import random
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from perles.agents.clis.amp import AmpParser
from perles.agents.clis.claude import ClaudeParser
from perles.agents.clis.claude_usage import ClaudeLog
from perles.agents.clis.codex_usage import CodexLog
from perles.agents.clis.command import PathParser
from perles.agents.clis.gemini_usage import GeminiLog
from perles.agents.clis.session_log import SessionLog, SessionReader
from perles.agents.provider import AgentEvent, Kind, find
from perles.config.model import ResourcePolicy
from perles.config.provider_settings import ProviderSettings
from perles.engine.turns.live import LiveTurn
from perles.executor.local.executor import LocalExecutor
from perles.store.schema.agents import Agent, Turn

RECORDED = Path(__file__).parents[1] / "fixtures" / "agents"
VERSIONS = {"2.1.197": 0.0006, "2.1.332": 0.0004}
"""What a turn of 100 and 20 tokens cost by each."""
Line = dict[str, Any]


def _turns(version: str) -> list[list[Line]]:
    """Five turns of one session: three, one of three calls that was ended, and another."""
    turns: list[list[Line]] = []
    for text in (RECORDED / f"claude-{version}-five-turns.jsonl").read_text().splitlines():
        line = json.loads(text)
        if line.get("subtype") == "init":
            turns.append([])
        turns[-1].append(line)
    return turns


def _fed(lines: list[Line], totals: Mapping[str, float] | None) -> list[Mapping[str, Any]]:
    parser = ClaudeParser(totals)
    events = [event for line in lines for event in parser.feed(json.dumps(line))]
    return [event.data for event in events if event.kind is Kind.USAGE]


def _without(turns: list[list[Line]], key: str) -> list[list[Line]]:
    return [[{k: v for k, v in line.items() if k != key} for line in turn] for turn in turns]


@pytest.mark.parametrize("version", VERSIONS)
@pytest.mark.parametrize("left_out", ["nothing", "model_usage_since_last_result", "modelUsage"])
def test_each_turn_of_claude_costs_what_it_cost_alone(version: str, left_out: str) -> None:
    totals: Mapping[str, float] | None = None
    paid = []

    for turn in _without(_turns(version), left_out)[:3]:
        *_, last = _fed(turn, totals)
        paid.append(last["cost_usd"])
        totals = last["totals"]
        assert (last["tokens_in"], last["tokens_out"]) == (100, 20)

    if left_out == "modelUsage" and version == "2.1.197":
        return  # without tokens an equal total says nothing: such a version was never seen
    assert paid == pytest.approx([VERSIONS[version]] * 3)


def test_a_dearer_turn_of_an_old_version_is_not_taken_for_a_running_total() -> None:
    cheap, dear = _turns("2.1.197")[:2]
    used = dear[-1]["usage"] | {"input_tokens": 900, "output_tokens": 220}
    (model,) = dear[-1]["modelUsage"]
    models = {model: {"inputTokens": 900, "outputTokens": 220, "costUSD": 0.006}}
    dear[-1] |= {"usage": used, "modelUsage": models, "total_cost_usd": 0.006}

    *_, first = _fed(cheap, None)
    *_, second = _fed(dear, first["totals"])

    assert second["cost_usd"] == pytest.approx(0.006)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_turn_that_is_cut_off_was_counted_at_each_message(version: str) -> None:
    killed = _turns(version)[3]

    told = _fed(killed, None)

    assert [data["tokens_in"] for data in told] == [1000, 2000, 3000]
    assert not any(data.get("settled") for data in told)


@pytest.mark.parametrize("version", VERSIONS)
def test_a_message_that_is_printed_twice_counts_once(version: str) -> None:
    killed = _turns(version)[3]

    *_, last = _fed(sorted(killed * 2, key=killed.index), None)

    assert last["tokens_in"] == 3000


def test_what_amp_tells_at_its_messages_is_kept_by_a_result_that_tells_nothing() -> None:
    parser = AmpParser()
    message = {"id": "m1", "usage": {"input_tokens": 10, "output_tokens": 4}}
    lines = [{"type": "assistant", "message": message}, {"type": "result", "result": "done"}]

    told = [e.data for line in lines for e in parser.feed(json.dumps(line)) if e.kind == "usage"]

    assert (told[-1]["tokens_in"], told[-1]["tokens_out"]) == (10, 4)
    assert not told[-1].get("cost_usd")


def test_the_money_of_a_thread_is_the_difference_too() -> None:
    paths = {"tokens": "used", "cost": "usd"}
    settings = ProviderSettings("x", output="jsonl", tokens_are="thread", paths=paths)
    totals: Mapping[str, float] | None = None
    paid, used = 0.0, 0

    for turn in (1, 2, 3):
        parser = PathParser(settings, totals)
        (event,) = parser.feed(json.dumps({"used": 100 * turn, "usd": 0.01 * turn}))
        paid, used = paid + event.data["cost_usd"], used + event.data["tokens_in"]
        totals = event.data["totals"]

    assert paid == pytest.approx(0.03)
    assert used == 300


class _World:
    """A home folder of a CLI, with one session's file that grows as it was recorded."""

    def __init__(self, home: Path, log: SessionLog, place: str, recorded: str) -> None:
        self.log, self.path = log, home / place
        self.path.parent.mkdir(parents=True)
        self.lines = (RECORDED / recorded).read_text().splitlines(keepends=True)

    def grow(self, first: int, last: int) -> None:
        with self.path.open("a") as file:
            file.writelines(self.lines[first:last])


THREAD = "01a2171d-b33a-75c0-9f8f-b485014a73ec"
SESSIONS = {
    "claude-2.1.197": "1b53a625-d81c-491e-867c-1532eb7ded71",
    "claude-2.1.332": "ed592ec3-4496-461e-9051-eacd5b82ba4b",
    "codex-0.169.0": THREAD,
    "gemini-0.61.0": "1989963a-f8b6-4a97-9e44-5e067aba47d3",
}
MADE: dict[str, tuple[Callable[[Mapping[str, str]], SessionLog], str]] = {
    "claude-2.1.197": (ClaudeLog, f".claude/projects/-repo/{SESSIONS['claude-2.1.197']}.jsonl"),
    "claude-2.1.332": (ClaudeLog, f".claude/projects/-repo/{SESSIONS['claude-2.1.332']}.jsonl"),
    "codex-0.169.0": (CodexLog, f".codex/sessions/2026/11/26/rollout-x-{THREAD}.jsonl"),
    "gemini-0.61.0": (GeminiLog, ".gemini/tmp/repo/chats/session-x-1989963a.jsonl"),
}


def _world(home: Path, name: str) -> _World:
    make, place = MADE[name]
    return _World(home, make({"HOME": str(home)}), place, f"{name}-session.jsonl")


def _cut(world: _World, name: str) -> tuple[int, int]:
    """The lines between which the turn lies that was ended after its calls of 1000 and 20."""
    hits = [n for n, line in enumerate(world.lines) if _is_call(line)]
    return hits[0], hits[-1] + 1


def _is_call(text: str) -> bool:
    line = json.loads(text)
    if line.get("type") == "gemini":
        return bool(line["tokens"]["input"] == 1000)
    used = (line.get("message") or {}).get("usage") or {}
    info = (line.get("payload") or {}).get("info") or {}
    last = info.get("last_token_usage") or {}
    return 1000 in (used.get("input_tokens"), last.get("input_tokens"))


@pytest.mark.parametrize("name", SESSIONS)
def test_a_session_file_tells_a_turn_that_was_cut_off_to_the_token(
    tmp_path: Path, name: str
) -> None:
    world = _world(tmp_path, name)
    first, last = _cut(world, name)
    world.grow(0, first)
    base = json.loads(json.dumps(world.log.base(SESSIONS[name])))
    reader = SessionReader(world.log, base)
    assert reader.read(SESSIONS[name]) is None

    world.grow(first, last)

    told = _told(reader.read(SESSIONS[name]))
    calls = len({_call(line) for line in world.lines[first:last] if _is_call(line)})
    assert calls >= 3
    assert told == (1000 * calls, 20 * calls)
    again = SessionReader(world.log, base)  # another engine, which adopts the turn
    assert _told(again.read(SESSIONS[name])) == told


def _call(text: str) -> str:
    line = json.loads(text)
    return str(line.get("id") or (line.get("message") or {}).get("id") or line["timestamp"])


def _told(event: AgentEvent | None) -> tuple[int, int]:
    assert event is not None
    assert event.data["of_turn"]
    return event.data["tokens_in"], event.data["tokens_out"]


@pytest.mark.parametrize("name", SESSIONS)
def test_no_file_of_a_session_is_followed_elsewhere_or_waited_for(
    tmp_path: Path, name: str
) -> None:
    for kind in ("link", "fifo", "folder"):
        home = tmp_path / kind
        make, place = MADE[name]
        path = home / place
        path.parent.mkdir(parents=True)
        if kind == "link":
            path.symlink_to(RECORDED / f"{name}-session.jsonl")
        elif kind == "fifo":
            os.mkfifo(path)
        else:
            path.mkdir()
        log = make({"HOME": str(home)})

        assert log.base(SESSIONS[name])["totals"] is None
        assert SessionReader(log, log.base(None)).read(SESSIONS[name]) is None


def test_an_id_that_is_no_id_leads_nowhere(tmp_path: Path) -> None:
    for id in ("../../../../etc/passwd", "*", "", "a\0b", "x" * 300):
        assert ClaudeLog({"HOME": str(tmp_path)}).paths(id) == []


def test_the_running_total_of_a_session_is_read_where_its_file_has_it(tmp_path: Path) -> None:
    world = _world(tmp_path, "claude-2.1.332")
    world.grow(0, len(world.lines))

    totals = world.log.base(SESSIONS["claude-2.1.332"])["totals"]

    assert totals["cost_usd"] == pytest.approx(0.0082)
    assert totals["tokens"] == 3540
    assert totals["rate:claude-sonnet-5-5"] == pytest.approx(2e-6)


def test_a_turn_is_counted_from_its_beginning_by_the_engine_that_adopts_it(tmp_path: Path) -> None:
    """What the agent's session had used moves along with the turn; the turn's own base does not."""
    agent = Agent(id=1, name="worker-1", role="worker", session_totals=_totals(9000))
    base: dict[str, Any] = {"session": None, "files": {}, "totals": {}}
    turn = Turn(
        id=1,
        workflow_id="wf-a",
        number=1,
        stdout_path=str(tmp_path / "turn-1.out"),
        stdout_offset=0,
        session_base=json.dumps(base),
    )
    paths = SimpleNamespace(found=Path)
    context: Any = SimpleNamespace(paths=paths, policy=ResourcePolicy, executor=LocalExecutor())
    live = LiveTurn.of(turn, agent, find("codex"), context)

    done = {"type": "turn.completed", "usage": json.loads(_totals(10_000))}
    (event,) = live.parser.feed(json.dumps(done))

    assert event.data["tokens_in"] == 10_000


def _totals(tokens: int) -> str:
    return json.dumps({"input_tokens": tokens, "cached_input_tokens": 0, "output_tokens": 0})


def test_what_a_turn_used_is_the_sum_of_its_messages_told_in_any_order() -> None:
    """Each message counts once, by the most that was told of it."""
    seeded = random.Random(15)
    parser, most = ClaudeParser(), dict[str, tuple[int, int]]()
    last: Mapping[str, Any] = {}

    for _ in range(500):
        name = f"msg_{seeded.randrange(80)}"
        told = seeded.randrange(1000), seeded.randrange(1000)
        before = most.get(name, (0, 0))
        most[name] = max(before[0], told[0]), max(before[1], told[1])
        used = {"input_tokens": told[0], "output_tokens": told[1]}
        message = {"id": name, "model": "claude-opus-4-5", "usage": used, "content": []}
        for event in parser.feed(json.dumps({"type": "assistant", "message": message})):
            last = event.data

    given, out = (sum(column) for column in zip(*most.values(), strict=True))
    assert (last["tokens_in"], last["tokens_out"]) == (given, out)
    assert last["cost_usd"] == pytest.approx((given + 5 * out) * 5 / 1e6)
