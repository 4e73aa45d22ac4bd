"""The line for room: who resumes stands in it like who starts, and who needs nothing passes."""

from pathlib import Path

import pytest

from tests.integration import scripted_provider
from tests.integration.cli import Home
from tests.integration.test_resources import (
    POLICY,
    UNTIL_GO,
    _create,
    _ended,
    _limit,
    _states,
    _usage,
)


@pytest.fixture
def full(home: Home) -> tuple[str, str]:
    """One workflow runs, which is all that may, and one is paused; their ids."""
    _limit(home, max_workflows_running=1)
    home.perles("serve", "--detach")
    waits, goes = (home.pipeline(name, [{"key": "a", "run": UNTIL_GO}]) for name in ("x", "y"))
    paused, runs = _create(home, waits), _create(home, goes)
    home.perles("start", paused)
    home.perles("pause", paused)
    home.perles("start", runs)
    return paused, runs


def test_a_resume_beyond_the_limit_waits_in_line_and_goes_on_by_itself(
    home: Home, full: tuple[str, str]
) -> None:
    paused, runs = full

    asked = home.perles("resume", paused)

    assert (asked.returncode, asked.stdout.strip()) == (
        0,
        f"{paused} is waiting: 1 of 1 workflows run",
    )
    shown = home.json("show", paused, "--json")
    assert (shown["state"], shown["reason"]) == ("paused", "waiting: 1 of 1 workflows run")
    assert shown["queue_place"] == 1
    line = _usage(home)["workflows"]
    assert (line["waiting"], [one["workflow_id"] for one in line["queue"]]) == (1, [paused])
    home.perles("stop", runs)
    home.wait_for("the resume", lambda: _states(home)["x"] == "running")
    (home.work / "go").touch()
    assert _ended(home, paused)["state"] == "completed"


def test_a_resume_that_must_not_wait_says_so_with_6_and_stays_paused(
    home: Home, full: tuple[str, str]
) -> None:
    paused, runs = full

    refused = home.perles("resume", paused, "--no-wait")

    assert refused.returncode == 6
    assert "1 of 1 workflows run" in refused.stderr
    assert home.json("show", paused, "--json")["queue_place"] is None
    home.perles("stop", runs)
    assert home.perles("resume", paused, "--no-wait").returncode == 0


def test_a_pause_takes_who_waits_to_go_on_out_of_the_line(
    home: Home, full: tuple[str, str]
) -> None:
    paused, _ = full
    home.perles("resume", paused)

    left = home.perles("pause", paused)

    assert left.returncode == 0, left.stderr
    shown = home.json("show", paused, "--json")
    assert (shown["state"], shown["reason"], shown["queue_place"]) == ("paused", None, None)
    assert home.perles("pause", paused).returncode == 4


def test_priority_orders_those_who_start_and_those_who_resume_in_one_line(
    home: Home, full: tuple[str, str]
) -> None:
    paused, runs = full
    third = _create(home, home.pipeline("z", [{"key": "a", "run": UNTIL_GO}]))
    home.perles("start", third)
    home.perles("resume", paused)
    home.perles("set", paused, "--priority", "high")
    places = {row["name"]: row["queue_place"] for row in home.json("list", "--json")}
    assert places == {"x": 1, "y": None, "z": 2}

    home.perles("stop", runs)

    home.wait_for("the resume", lambda: _states(home)["x"] == "running")
    assert _states(home)["z"] == "pending"


def test_who_is_paused_and_has_the_last_port_passes_those_who_wait_for_one(home: Home) -> None:
    first = home.environ[f"{POLICY}PORT_RANGE_START"]
    _limit(home, max_workflows_running=1, port_range_end=first)
    home.perles("serve", "--detach")
    files = [home.pipeline(name, [{"key": "a", "run": UNTIL_GO}]) for name in ("x", "y")]
    has_port, waits = (_create(home, file) for file in files)
    home.perles("start", has_port)
    home.perles("pause", has_port)
    assert "no free port" in home.perles("start", waits).stdout

    home.perles("resume", has_port)

    home.wait_for("the resume", lambda: _states(home)["x"] == "running")
    (home.work / "go").touch()
    assert _ended(home, waits)["state"] == "completed"


def test_a_used_up_budget_of_all_holds_back_only_who_would_spend(home: Home) -> None:
    scripted_provider.install(home)
    _limit(home, max_workflows_running=1)
    config = _token_budget(home, 100)
    home.perles("--config", config, "serve", "--detach")
    spends = home.pipeline("spends", [{"key": "a", "run": "echo @usage 100 100; sleep 60"}])
    first = _create(home, spends, provider="scripted")
    home.perles("start", first)
    assert _ended(home, first)["reason"] == "global token budget exhausted"
    quick = [{"key": "a", "run": "true"}]
    dear = _create(home, home.pipeline("dear", quick), "--priority", "high", provider="scripted")
    free = _create(home, home.pipeline("free", quick))

    held = home.perles("start", dear)
    home.perles("start", free)

    assert "global token budget exhausted" in held.stdout
    assert _ended(home, free)["state"] == "completed"
    shown = home.json("show", dear, "--json")
    assert (shown["state"], shown["queue_place"]) == ("pending", 1)
    _token_budget(home, 100_000)
    home.perles("config", "reload")
    assert _ended(home, dear)["state"] == "completed"


def _token_budget(home: Home, tokens: int) -> Path:
    file = home.work / "limits.yaml"
    text = f"orchestration: {{control_plane: {{resource_policy: {{token_budget: {tokens}}}}}}}\n"
    file.write_text(text)
    return file
