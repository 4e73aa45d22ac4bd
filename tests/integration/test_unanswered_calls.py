"""Calls that no engine answered: a report counts by the agent's own words, and no turn fails."""

import json
from pathlib import Path
from typing import Any

import pytest
import yaml

from perles.agents.clis.claude import ClaudeParser
from perles.agents.provider import Parser, find
from perles.engine.turns.unanswered_calls import Listening, Unanswered
from tests.integration.cli import Home
from tests.integration.scripted_cli import TOOLS, program, task_of

REPORT = "report_implementation_complete"
# A stand-in for claude: what it prints is made of `said`; `tools` reach the engine.
SOURCE = (
    TOOLS
    + """
from pathlib import Path

config = sys.argv[sys.argv.index("--mcp-config") + 1]
prompt = sys.stdin.read()
turns = open("turns", "a+")
turns.seek(0)
number = len(turns.read()) + 1
turns.write("x")
turns.close()
Path(f"prompt{number}").write_text(prompt)

def say(**line):
    print(json.dumps(line), flush=True)

def calls(name, error=None, **arguments):
    use = {"type": "tool_use", "id": "t1", "name": "mcp__perles__" + name, "input": arguments}
    say(type="assistant", message={"id": "m1", "content": [use]})
    if error is not None:
        result = {"type": "tool_result", "tool_use_id": "t1", "is_error": True, "content": error}
        say(type="user", message={"content": [result]})

def ends(text="It is done."):
    say(type="result", subtype="success", is_error=False, result=text)

say(type="system", subtype="init", session_id="0123abcd-0000-4000-8000-000000000000")
"""
)


def _claude(home: Home, acts: str) -> None:
    path = program(home, "claude-stand-in", SOURCE + acts)
    home.config_file.write_text(yaml.safe_dump({"orchestration": {"claude": {"executable": path}}}))


def _task(home: Home) -> Path:
    return home.pipeline("p", [{"key": "ask", "prompt": "Write it.", "worker": "claude"}])


def _types(home: Home, *globs: str) -> list[str]:
    return [event["type"] for glob in globs for event in home.events("--type", glob)]


def _turns(home: Home) -> int:
    """How many turns of the worker were started."""
    events = home.events("--type", "turn.started")
    return len([event for event in events if event["agent"] == "worker-1"])


def _ended(home: Home) -> list[Path]:
    """The files in which turns of the worker left how they ended."""
    return list(home.root.glob("sessions/**/worker-1/*.status"))


WHOLE = {"summary": "all three files " + "are written " * 80, "exit_code": 0}


def test_a_report_that_no_engine_heard_counts_once_by_what_the_agent_printed(home: Home) -> None:
    _claude(home, f"calls({REPORT!r}, 'MCP error: fetch failed', **{WHOLE!r})\nends()\n")

    result = home.perles("run", _task(home))

    assert result.returncode == 0, result.stderr
    task = task_of(home)
    assert (task["summary"], task["attempt"]) == (WHOLE["summary"], 1)
    (told,) = home.events("--type", "task.reported")
    assert told["payload"]["heard"] == "output"
    assert (home.work / "turns").read_text() == "x"
    assert _types(home, "agent.reminded", "turn.lost", "turn.failed") == []


def test_a_report_that_the_engine_refused_is_none(home: Home) -> None:
    refused = f"""
tools = client(config)
if number == 1:
    try:
        tools.call({REPORT!r}, summary="", exit_code=0)
    except CallFailed as error:
        calls({REPORT!r}, str(error), summary="", exit_code=0)
else:
    tools.call({REPORT!r}, summary="now it is", exit_code=0)
ends()
"""
    _claude(home, refused)

    result = home.perles("run", _task(home))

    assert result.returncode == 0, result.stderr
    assert task_of(home)["summary"] == "now it is"
    assert _types(home, "agent.reminded") == ["agent.reminded"]


def test_a_turn_whose_calls_nobody_answered_is_asked_for_again_and_has_not_failed(
    home: Home,
) -> None:
    acts = f"""
if number < 3:
    calls("signal_ready", "Unable to connect. Is the computer able to access the url?")
else:
    client(config).call({REPORT!r}, summary="done", exit_code=0)
ends("I could not reach the tools.")
"""
    _claude(home, acts)

    result = home.perles("run", _task(home))

    assert result.returncode == 0, result.stderr
    assert _types(home, "turn.lost") == ["turn.lost"] * 2
    assert _types(home, "agent.reminded", "turn.failed", "agent.silent") == []
    told = (home.work / "prompt2").read_text()
    assert "no engine of Perles answered its calls" in told
    assert "Write it." in told
    assert task_of(home)["attempt"] == 1


def test_a_turn_that_crashed_while_no_engine_ran_is_no_failure(home: Home) -> None:
    acts = f"""
import time
if number < 4:
    while not os.path.exists(f"go{{number}}"):
        time.sleep(0.02)
    sys.exit("required MCP servers failed to initialize: perles")
client(config).call({REPORT!r}, summary="done", exit_code=0)
ends()
"""
    _claude(home, acts)
    home.perles("serve", "--detach")
    id = home.json("create", _task(home), "--json")["id"]
    home.perles("start", id)
    for number in (1, 2, 3):  # a worker's crash is forgiven once, and this is none
        home.wait_for("the turn", lambda: (home.work / f"prompt{number}").exists())  # noqa: B023
        home.wait_for("it to run", lambda: _turns(home) == number)  # noqa: B023
        home.kill_engine()
        (home.work / f"go{number}").touch()
        home.wait_for("its end", lambda: len(_ended(home)) >= number)  # noqa: B023
        home.perles("serve", "--detach")

    home.wait_for("the end", lambda: home.json("show", id, "--json")["state"] == "completed")

    assert task_of(home)["attempt"] == 1
    assert _types(home, "turn.failed") == []
    assert len(_types(home, "turn.lost")) == 3


def _lines(*calls: tuple[str, str | None]) -> list[dict[str, Any]]:
    """Claude's lines of calls, each with the error that it got, or none."""
    lines: list[dict[str, Any]] = []
    for number, (name, error) in enumerate(calls):
        tool = {"type": "tool_use", "id": str(number), "name": f"mcp__perles__{name}"}
        tool["input"] = {"summary": f"report {number}", "exit_code": 0}  # type: ignore[assignment]
        lines.append({"type": "assistant", "message": {"content": [tool]}})
        result = {"type": "tool_result", "tool_use_id": str(number), "is_error": error is not None}
        result["content"] = error or "fine"
        lines.append({"type": "user", "message": {"content": [result]}})
    return lines


@pytest.mark.parametrize(
    ("calls", "report", "failed"),
    [
        ([(REPORT, "fetch failed")], "report 0", 1),
        ([(REPORT, None)], None, 0),
        ([(REPORT, "fetch failed"), (REPORT, None)], None, 0),
        ([(REPORT, "MCP error -32001: Request timed out"), ("signal_ready", None)], "report 0", 0),
        ([(REPORT, "cannot report: you have no task in hand")], None, 0),
        ([("list_tasks", "MCP error -32000: Connection closed")], None, 1),
        ([("list_tasks", "ECONNREFUSED 127.0.0.1:9000"), ("list_tasks", None)], None, 0),
    ],
)
def test_what_is_heard_of_calls(
    calls: list[tuple[str, str | None]], report: str | None, failed: int
) -> None:
    heard = Unanswered()
    parser: Parser = Listening(ClaudeParser(), heard)
    for line in _lines(*calls):
        parser.feed(json.dumps(line))
    assert (heard.report and heard.report["summary"], heard.calls) == (report, failed)


def test_a_report_of_any_form_harms_nothing() -> None:
    heard = Unanswered()
    parser = Listening(find("claude").parser(), heard)
    tool = {"type": "tool_use", "id": "1", "name": f"mcp__perles__{REPORT}"}
    odds: list[Any] = [None, [], "x", {"summary": 3, "exit_code": "0"}, {"summary": "x" * 10**6}]
    for odd in odds:
        parser.feed(
            json.dumps({"type": "assistant", "message": {"content": [tool | {"input": odd}]}})
        )
