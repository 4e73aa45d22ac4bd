"""What Claude Code tells beside its work: retries, limits, and whether it has our tools."""

import json
from pathlib import Path
from typing import Any

import pytest

from perles.agents.clis.claude import OTHER_TEAMS, ClaudeParser, ClaudeProvider
from perles.agents.provider import AgentEvent, Kind, TurnContext

RECORDED = Path(__file__).parents[1] / "fixtures" / "agents"


def _heard(line: dict[str, Any]) -> list[AgentEvent]:
    return ClaudeParser().feed(json.dumps(line))


def _retry(status: int, error: str, delay: float = 30_000.5) -> dict[str, Any]:
    told = {"attempt": 1, "max_retries": 10, "retry_delay_ms": delay, "error_status": status}
    return {"type": "system", "subtype": "api_retry", "error": error, **told}


@pytest.mark.parametrize("status", [401, 403])
def test_a_refused_login_ends_the_turn_at_the_first_of_its_tries(status: int) -> None:
    (event,) = _heard(_retry(status, "authentication_failed"))

    assert event.data["ends_turn"]
    assert event.data["error_class"] == "auth"


@pytest.mark.parametrize(
    ("status", "error", "kind"),
    [(429, "rate_limit", "rate_limited"), (529, "overloaded", "overloaded")],
)
def test_a_retry_tells_how_long_it_waits(status: int, error: str, kind: str) -> None:
    (event,) = _heard(_retry(status, error))

    assert event.data["error_class"] == kind
    assert event.data["again_in"] == pytest.approx(30, abs=0.1)
    assert not event.data.get("ends_turn")


@pytest.mark.parametrize(
    ("version", "windows"), [("2.1.332", {"5h": 0.93, "7d": 0.41}), ("2.1.197", {"5h": 0.93})]
)
def test_windows_of_its_quota_are_read(version: str, windows: dict[str, float]) -> None:
    text = (RECORDED / f"claude-{version}-limits.jsonl").read_text()

    (event,) = ClaudeParser().feed(text.strip())

    assert event.kind is Kind.LIMIT
    assert {one["window"]: one["used"] for one in event.data["windows"]} == windows
    assert all(one["resets_at"].startswith("2026-11-2") for one in event.data["windows"])


@pytest.mark.parametrize("info", [None, [], {"unifiedWindows": {"x": {"utilization": "many"}}}])
def test_windows_that_are_none_are_passed_over(info: Any) -> None:
    assert _heard({"type": "rate_limit_event", "rate_limit_info": info}) == []


def _init(status: str, *tools: str) -> list[AgentEvent]:
    servers = [{"name": "perles", "status": status}]
    line = {"type": "system", "subtype": "init", "session_id": "s", "tools": ["Bash", *tools]}
    return [e for e in _heard({**line, "mcp_servers": servers}) if e.kind is Kind.ERROR]


def test_a_turn_without_our_tools_is_ended_before_it_costs_anything() -> None:
    (event,) = _init("failed")

    assert event.data["ends_turn"]
    assert "does not reach the tools of perles" in event.text


def test_tools_that_are_hidden_are_told_and_those_that_are_there_are_not() -> None:
    (event,) = _init("connected")
    assert not event.data["final"]

    assert _init("connected", "mcp__perles__signal_ready") == []
    assert _init("pending") == []


def test_it_offers_our_tools_at_once_and_none_of_its_own_teams(tmp_path: Path) -> None:
    program = tmp_path / "claude"
    program.write_text("#!/bin/sh\n")
    program.chmod(0o700)
    context = TurnContext(
        workflow_id="wf-1",
        agent="worker-1",
        role="worker",
        number=1,
        model=None,
        work_dir=tmp_path,
        folder=tmp_path,
        prompt="go",
        mcp_url="http://127.0.0.1:1/mcp",
        token="t",
        session_id=None,
        environ={"PATH": str(tmp_path), "HOME": str(tmp_path)},
        usd_left=0.25,
    )

    launch = ClaudeProvider().launch(context)

    server = json.loads(launch.files["claude-mcp.json"])["mcpServers"]["perles"]
    assert server["alwaysLoad"] is True
    argv = list(launch.argv)
    assert argv[argv.index("--disallowedTools") + 1] == ",".join(OTHER_TEAMS)
    assert float(argv[argv.index("--max-budget-usd") + 1]) == 0.25
