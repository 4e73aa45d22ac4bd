"""Workflows with the real agent CLIs, as coordinator and as worker, through our MCP server."""

import os
import signal
import subprocess
import threading
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from perles.executor.local.processes import family
from perles.keeper.whereabouts import keeper_of
from perles.mcp.tools.by_role import TOOLS_BY_ROLE
from tests.e2e import clis, scripts
from tests.e2e.conftest import Agents
from tests.e2e.model import Asked, Reply, Script

Scripted = Callable[..., Agents]
NAMES = list(clis.PACKAGES)
PRICED = ("claude", "opencode")
"""CLIs that tell what a turn cost."""


def worker_is(first: Callable[[Asked], Reply | None]) -> Script:
    """Everybody as usual, save that workers may be answered by `first`."""

    def script(asked: Asked) -> Reply:
        if asked.has("report_implementation_complete"):
            special = first(asked)
            if special is not None:
                return special
        return scripts.everybody(asked)

    return script


class Once:
    """Answers one request in its own way, and remembers it."""

    def __init__(self, reply: Reply, *, when: Callable[[Asked], bool] = lambda _: True) -> None:
        self.reply, self.when = reply, when
        self.done = threading.Event()

    def __call__(self, asked: Asked) -> Reply | None:
        if self.done.is_set() or not self.when(asked):
            return None
        self.done.set()
        return self.reply


def has_task(asked: Asked) -> bool:
    """Whether a worker has just been given its task."""
    return asked.after == "" and "Your task" in asked.last


def hidden(agents: Agents, role: str, mark: str) -> list[str]:
    """Those of our tools for a role that its CLI offered to no model; `mark` is one of them."""
    offered = {tool for asked, _ in agents.model.asked if asked.has(mark) for tool in asked.tools}
    return [
        tool.name
        for tool in TOOLS_BY_ROLE[role].values()
        if not any(name.endswith((tool.name, tool.alias or tool.name)) for name in offered)
    ]


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_completes_with_usage_as_billed_and_leaves_nothing(
    scripted: Scripted, name: str
) -> None:
    """Coordinator and worker are the same CLI; the coordinator's second turn resumes its first."""
    agents = scripted()
    agents.use(name)

    id = agents.begin(name, name)

    assert agents.ended(id) == "completed"
    shown = agents.json("show", id, "--json")
    billed = agents.model.billed
    assert shown["reason"] == scripts.SUMMARY
    assert shown["tokens_used"] == billed["in"] + billed["out"]
    assert (shown["cost_usd"] > 0) == (name in PRICED)
    second = [a for a, _ in agents.model.asked if "reports on task" in a.last]
    assert second
    assert any("bring the goal about" in user for user in second[0].users)
    assert hidden(agents, "coordinator", "assign_task") == []
    assert hidden(agents, "worker", "report_implementation_complete") == []
    status = ["git", "status", "--porcelain", "--ignored"]
    left = subprocess.run(status, cwd=agents.work, capture_output=True, text=True, check=True)
    assert left.stdout == ""
    assert family([f"PERLES_WORKFLOW={id}"]) == []


@pytest.mark.parametrize("name", NAMES)
def test_no_secret_stands_on_a_command_line(scripted: Scripted, name: str) -> None:
    seen: list[str] = []
    agents = scripted()

    def look(asked: Asked) -> Reply:
        if not seen:
            for token in agents.root.glob("sessions/*/*/*/*/token"):
                seen.append(token.read_text())
            seen.append("")
            seen.append(_command_lines())
        return scripts.everybody(asked)

    agents.model.script = look
    agents.use(name)
    id = agents.begin(name, name)

    assert agents.ended(id) == "completed"
    *tokens, _, lines = seen
    assert tokens
    assert name in lines
    for secret in (clis.KEY, *tokens):
        assert secret not in lines
    said = "".join(str(event) for event in agents.events())
    for secret in (clis.KEY, *tokens):
        assert secret not in said


def _command_lines() -> str:
    lines = []
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            lines.append(path.read_bytes().replace(b"\0", b" ").decode(errors="replace"))
        except OSError:
            continue  # it ended meanwhile
    return "\n".join(lines)


@pytest.mark.parametrize("name", NAMES)
def test_a_workflow_paused_in_mid_turn_goes_on_to_its_end(scripted: Scripted, name: str) -> None:
    slow = Once(Reply(say="too late", wait=60), when=has_task)
    agents = scripted(worker_is(slow))
    agents.use(name)
    id = agents.begin(name, name)
    agents.wait_for("the worker's turn", slow.done.is_set)

    paused = agents.perles("pause", id)
    assert paused.returncode == 0, paused.stderr
    assert family([f"PERLES_WORKFLOW={id}"]) == []
    assert agents.perles("resume", id).returncode == 0

    assert agents.ended(id) == "completed"
    assert "turn.interrupted" in agents.types()


@pytest.mark.parametrize("name", NAMES)
def test_an_agent_outlives_a_killed_engine_and_is_adopted(scripted: Scripted, name: str) -> None:
    go = threading.Event()
    begun = threading.Event()

    def hold(asked: Asked) -> Reply | None:
        if has_task(asked):
            begun.set()
            go.wait(60)
        return None

    agents = scripted(worker_is(hold))
    agents.use(name)
    id = agents.begin(name, name)
    agents.wait_for("the worker's turn", begun.is_set)
    agents.wait_for("the coordinator's end", lambda: "turn.succeeded" in agents.types())

    agents.engine.send_signal(signal.SIGKILL)
    agents.engine.wait()
    agents.serve()
    agents.wait_for("the adoption", lambda: "engine.adopted" in agents.types())
    go.set()

    assert agents.ended(id) == "completed"
    started = [event for event in agents.events() if event["type"] == "turn.started"]
    assert [event["agent"] for event in started].count("worker-1") == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_rate_limit_is_waited_out(scripted: Scripted, name: str) -> None:
    limited = Once(Reply(status=429, message="rate limit, slow down"), when=has_task)
    agents = scripted(worker_is(limited))
    agents.use(name)
    id = agents.begin(name, name)

    assert agents.ended(id) == "completed"
    assert limited.done.is_set()
    for held in [e for e in agents.events() if e["type"] == "agent.rate_limited"]:
        assert held["payload"]["until"]  # most try again by themselves, and some tell
        assert held["agent"] == "worker-1"


@pytest.mark.parametrize("name", NAMES)
def test_a_login_that_does_not_hold_fails_with_advice(scripted: Scripted, name: str) -> None:
    agents = scripted(lambda _: Reply(status=401, message="invalid api key"))
    agents.use(name)
    id = agents.begin(name, name)

    assert agents.ended(id) == "failed"
    assert "log in" in agents.json("show", id, "--json")["reason"]
    assert agents.types().count("turn.failed") == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_full_context_is_replaced_by_a_fresh_session(scripted: Scripted, name: str) -> None:
    too_long = "prompt is too long: 200561 tokens > 200000 maximum"
    full = Once(Reply(status=400, message=too_long), when=lambda a: "reports on task" in a.last)
    agents = scripted(lambda asked: full(asked) or scripts.everybody(asked))
    agents.use(name)
    id = agents.begin(name, name)

    assert agents.ended(id) == "completed"
    assert full.done.is_set()
    if "agent.context_exhausted" in agents.types():
        assert "coordinator.replaced" in agents.types()
    else:
        assert name in ("gemini", "opencode")  # these make room in their session by themselves


def test_one_workflow_mixes_them(scripted: Scripted) -> None:
    """A pipeline whose steps are done by three CLIs, each building on the one before."""
    agents = scripted(worker_is(_next_word))
    agents.use("codex", "gemini", "opencode")
    prompt = "Add a word to: [{{ tasks.%s.output }}]"
    tasks: list[dict[str, Any]] = [
        {"key": "first", "prompt": "Add a word to: []", "worker": "codex"},
        {"key": "second", "prompt": prompt % "first", "worker": "gemini", "after": ["first"]},
        {"key": "third", "prompt": prompt % "second", "worker": "opencode", "after": ["second"]},
        {"key": "check", "run": "echo {{ tasks.third.output }} > said", "after": ["third"]},
    ]

    result = agents.perles("run", agents.pipeline("mixed", tasks))

    assert result.returncode == 0, result.stdout + result.stderr
    assert (agents.work / "said").read_text() == "word word word\n"


def _next_word(asked: Asked) -> Reply | None:
    if asked.after.endswith("signal_ready"):
        before = asked.users[-1].rpartition("[")[2].partition("]")[0]
        return scripts.report(f"{before} word".strip())
    return None


CALLS = 60
PRICEY = Reply(tokens_in=1000)


class Looping:
    """A worker that calls a tool again and again: never twice in a row with the same words, for
    a CLI may stop such a loop by itself."""

    def __init__(self) -> None:
        self.calls = 0

    def __call__(self, asked: Asked) -> Reply | None:
        if self.calls >= CALLS:
            return None
        self.calls += 1
        arguments = {"channel": "general", "limit": self.calls}
        return replace(PRICEY, call="fabric_history", arguments=arguments, wait=0.5)


@pytest.mark.parametrize("name", NAMES)
def test_a_budget_cuts_a_turn_that_never_ends(scripted: Scripted, name: str) -> None:
    """A worker that would make sixty calls, under a budget of twelve."""
    agents = scripted(worker_is(Looping()))
    agents.use(name)
    id = agents.begin(name, name, "--token-budget", "12000")

    assert agents.ended(id) == "failed"
    shown = agents.json("show", id, "--json")
    billed = agents.model.billed["in"] + agents.model.billed["out"]
    assert shown["reason"] == "token budget exhausted"
    assert 12_000 <= shown["tokens_used"] <= billed <= 1.2 * 12_000


@pytest.mark.parametrize("name", PRICED)
def test_a_budget_of_money_cuts_a_turn_that_never_ends(scripted: Scripted, name: str) -> None:
    """The CLI, where it was told what is left, or else the engine ends the turn."""
    agents = scripted(worker_is(Looping()))
    agents.use(name)
    id = agents.begin(name, name, "--cost-budget", "0.05")

    assert agents.ended(id) == "failed"
    shown = agents.json("show", id, "--json")
    assert shown["reason"] == "cost budget exhausted"
    assert 0.05 <= shown["cost_usd"] <= 1.2 * 0.05


@pytest.mark.parametrize("name", NAMES)
def test_a_report_that_no_engine_heard_counts(scripted: Scripted, name: str) -> None:
    """Neither engine nor keeper is there when the worker reports: its CLI is refused, and ends."""
    go, begun = threading.Event(), threading.Event()

    def hold(asked: Asked) -> Reply | None:
        if has_task(asked):
            begun.set()
            go.wait(60)
        return None

    agents = scripted(worker_is(hold))
    agents.use(name)
    id = agents.begin(name, name)
    agents.wait_for("the worker's turn", begun.is_set)
    agents.wait_for("the coordinator's end", lambda: "turn.succeeded" in agents.types())

    agents.engine.send_signal(signal.SIGKILL)
    agents.engine.wait()
    keeper = keeper_of(agents.root)
    assert keeper is not None
    os.kill(keeper, signal.SIGKILL)
    go.set()
    agents.wait_for("the worker's end", lambda: not family([f"PERLES_WORKFLOW={id}"]))
    agents.serve()

    assert agents.ended(id) == "completed"
    (told,) = [event for event in agents.events() if event["type"] == "task.reported"]
    assert told["payload"]["heard"] == "output"
    assert told["payload"]["text"] == scripts.SUMMARY
    started = [event for event in agents.events() if event["type"] == "turn.started"]
    assert [event["agent"] for event in started].count("worker-1") == 1
