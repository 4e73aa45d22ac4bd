"""Whatever befalls agents that spend, the journal has their bill: tokens, and money to 0.0001 USD.

Stand-ins for claude and codex write each call to their session's file, as the real ones do,
and that is the bill. What befalls them is drawn from a seed: pauses, kills of the CLI and of
the engine, budgets, turns that end by themselves. PERLES_TEST_BILLS is how many runs there are.
"""

import os
import signal
from collections.abc import Iterator
from pathlib import Path
from random import Random
from time import sleep

import pytest
import yaml

from perles import WorkflowSpec
from perles.domain.errors import PerlesError
from perles.executor.local.processes import family
from tests.crash.world import World, world
from tests.integration.cli import Home, signal_all
from tests.integration.scripted_cli import program

RUNS = int(os.environ.get("PERLES_TEST_BILLS", "4"))
AT_ONCE = 4
"""Workflows that one engine has at a time."""
CALL = 1020
"""Tokens of one call: 1000 in, 20 out."""
ENDED = ("completed", "failed", "stopped")
PRICE = 0.0022
"""USD of one call of claude: 2 for a million of tokens given, 10 for a million said."""
PAID = "SELECT cost_usd FROM workflows WHERE id = ?"
USED = "SELECT tokens_used FROM workflows WHERE id = ?"
TOLD = """
SELECT coalesce(sum(coalesce(CAST(json_extract(payload, '$.tokens_in') AS BIGINT), 0)
+ coalesce(CAST(json_extract(payload, '$.tokens_out') AS BIGINT), 0)), 0)
FROM events WHERE type = 'agent.usage' AND workflow_id = ?
"""
# A call is on the bill, and in the session's file, by one write: no kill comes between.
SOURCE = """\
import json, os, random, sys, time
kind, home = {kind!r}, {home!r}
argv = sys.argv[1:]
before = next((argv[n + 1] for n, word in enumerate(argv) if word in ("--resume", "resume")), None)
session = before or "bill-" + os.urandom(12).hex()
sys.stdin.read()
folder = ".claude/projects/-work" if kind == "claude" else ".codex/sessions/2026/11/26"
name = session + ".jsonl" if kind == "claude" else "rollout-x-" + session + ".jsonl"
os.makedirs(os.path.join(home, folder), exist_ok=True)
path = os.path.join(home, folder, name)
with open(os.path.join(home, os.environ["PERLES_WORKFLOW"]), "a") as file:
    file.write(path + "\\n")
drawn = random.Random(os.getpid())

def say(line):
    print(json.dumps(line), flush=True)

def write(line):
    with open(path, "ab", buffering=0) as file:
        file.write((json.dumps(line, separators=(",", ":")) + "\\n").encode())

def used(calls, out=20):
    return {{"input_tokens": 1000 * calls, "output_tokens": out * calls}}

count = len(open(path).readlines()) if os.path.exists(path) else 0
first = count
if kind == "claude":
    say({{"type": "system", "subtype": "init", "session_id": session}})
else:
    say({{"type": "thread.started", "thread_id": session}})
for _ in range(drawn.randrange(1, 30)):
    count += 1
    if kind == "claude":
        said = {{"id": session + str(count), "model": "claude-sonnet-5-5", "content": []}}
        write({{"type": "assistant", "message": {{**said, "usage": used(1)}}}})
        say({{"type": "assistant", "message": {{**said, "usage": used(1, 1)}}}})
    else:
        info = {{"total_token_usage": used(count)}}
        write({{"type": "event_msg", "payload": {{"type": "token_count", "info": info}}}})
    time.sleep(drawn.random() * 0.1)
if drawn.random() < 0.3:
    time.sleep(600)
if kind == "claude":
    own = count - first
    # Newer versions tell the total of the session, of what was not killed; older ones their own.
    told, totals = own, path + ".total"
    if int(session[-1], 16) % 2:
        told += int(open(totals).read()) if os.path.exists(totals) else 0
        open(totals, "w").write(str(told))
    cost = told * {price}
    of_model = {{"inputTokens": 1000 * told, "outputTokens": 20 * told, "costUSD": cost}}
    say({{"type": "result", "subtype": "success", "is_error": False, "result": "so far",
         "session_id": session, "usage": used(own), "total_cost_usd": cost,
         "modelUsage": {{"claude-sonnet-5-5": of_model}}}})
else:
    say({{"type": "turn.completed", "usage": used(count)}})
"""


@pytest.fixture
def spenders(home: Home) -> Iterator[World]:
    """A world whose claude and codex are such stand-ins."""
    own = home.work.parent / "cli-home"
    own.mkdir()
    programs = {
        kind: program(
            home, f"{kind}-stand-in", SOURCE.format(kind=kind, home=str(own), price=PRICE)
        )
        for kind in ("claude", "codex")
    }
    clis = {
        kind: {"executable": path, "env": {"HOME": str(own)}} for kind, path in programs.items()
    }
    limits = {"resource_policy": {"max_ai_calls": 9, "max_workers": 9}}
    config = home.config_file
    config.write_text(yaml.safe_dump({"orchestration": {**clis, "control_plane": limits}}))
    home.environ["PERLES_CONFIG"] = str(config)  # for us, who ask in this process, too
    with world(home) as made:
        yield made


def _billed(spenders: World, id: str) -> int:
    """The tokens of all calls that the workflow's agents made."""
    return CALL * sum(_calls(spenders, id).values())


def _price(spenders: World, id: str) -> float:
    """What they cost in USD: those of codex tell no price."""
    return PRICE * sum(n for path, n in _calls(spenders, id).items() if ".claude" in path)


def _calls(spenders: World, id: str) -> dict[str, int]:
    """How many calls each session of the workflow has made, by its file."""
    file = spenders.home.work.parent / "cli-home" / id
    paths = set(file.read_text().splitlines()) if file.exists() else set()
    return {path: Path(path).read_text().count("\n") for path in paths if Path(path).exists()}


def _begin(spenders: World, drawn: Random, number: int) -> str:
    """A workflow of one worker, some with a budget."""
    kind = drawn.choice(["claude", "codex"])
    tasks = [{"key": "ask", "prompt": "Spend.", "worker": kind}]
    file = spenders.home.pipeline(f"bill-{number}", tasks)
    budget = CALL * drawn.randrange(3, 20) if drawn.random() < 0.4 else 0
    id = spenders.plane.create(
        WorkflowSpec(
            template_id="pipeline",
            work_dir=str(spenders.home.work),
            args={"file": str(file)},
            token_budget=budget,
        )
    )
    spenders.plane.request(id, "start", {})
    return id


def _befall(spenders: World, drawn: Random, ids: list[str]) -> None:
    """Something happens to one of them, or to the engine."""
    id = drawn.choice(ids)
    act = drawn.choice(["pause", "pause", "kill", "engine", "nothing"])
    if act == "engine":
        spenders.kill_engine()
        sleep(drawn.random() * 0.5)
        spenders.serve()
        spenders.wait_for_engine()
    elif act == "kill":
        workers = family([f"PERLES_AGENT=worker-{n}" for n in range(1, 4)])
        mine = set(family([f"PERLES_WORKFLOW={id}"])) & set(workers)
        signal_all(mine, signal.SIGKILL)
    elif act == "pause":
        try:
            spenders.plane.pause(id)
            spenders.plane.resume(id)
        except PerlesError:
            assert spenders.state(id) in (
                *ENDED,
                "paused",
            )  # it was quicker, or waits in line to go on


@pytest.mark.parametrize("first", range(0, RUNS, AT_ONCE))
def test_the_journal_has_the_bill(spenders: World, first: int) -> None:
    drawn = Random(first)
    spenders.serve()
    spenders.wait_for_engine()
    ids = [_begin(spenders, drawn, n) for n in range(first, min(RUNS, first + AT_ONCE))]
    spenders.wait_for("some calls", lambda: all(_billed(spenders, id) for id in ids))
    for _ in range(2 * len(ids)):
        _befall(spenders, drawn, ids)
        sleep(drawn.random() * 0.5)
    for id in ids:
        if spenders.state(id) not in ENDED:
            try:
                spenders.plane.stop(id, grace=drawn.choice([0.0, 2.0]))
            except PerlesError:
                assert spenders.state(id) in ENDED  # it was quicker
        assert family([f"PERLES_WORKFLOW={id}"]) == []

    bills = {id: _billed(spenders, id) for id in ids}
    assert {id: spenders.value(USED, id) for id in ids} == bills
    assert {id: spenders.value(TOLD, id) for id in ids} == bills
    paid = {id: spenders.value(PAID, id) for id in ids}
    assert paid == pytest.approx({id: _price(spenders, id) for id in ids}, abs=0.0001)
