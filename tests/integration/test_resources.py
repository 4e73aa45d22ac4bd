"""Limits and budgets hold, waiting is in order, and everybody can see both."""

import json
import signal
import socket
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from perles.store.sqlite.driver import dbapi
from tests.integration import scripted_provider
from tests.integration.cli import Home

POLICY = "PERLES_CONTROL_PLANE__RESOURCE_POLICY__"
UNTIL_GO = "until test -e go; do sleep 0.05; done"


@pytest.fixture
def scripted(home: Home) -> Home:
    """A home that knows the scripted provider."""
    scripted_provider.install(home)
    return home


def _limit(home: Home, **limits: object) -> None:
    home.environ |= {f"{POLICY}{name.upper()}": str(value) for name, value in limits.items()}


def _create(home: Home, file: Path, *options: str, provider: str = "builtin") -> str:
    id = home.perles("create", file, *options).stdout.strip()
    if provider != "builtin":
        with closing(dbapi.connect(home.database)) as connection, connection:
            connection.execute(
                "UPDATE workflows SET provider = ?1, worker_provider = ?1 WHERE id = ?2",
                (provider, id),
            )
            connection.execute("UPDATE tasks SET worker = ? WHERE workflow_id = ?", (provider, id))
        connection.close()
    return id


def _states(home: Home) -> dict[str, str]:
    return {row["name"]: row["state"] for row in home.json("list", "--all", "--json")}


def _ended(home: Home, id: str) -> dict[str, Any]:
    def end() -> dict[str, Any] | None:
        shown: dict[str, Any] = home.json("show", id, "--json")
        return shown if shown["state"] in ("completed", "failed", "stopped") else None

    found: dict[str, Any] = home.wait_for(f"the end of {id}", end)
    return found


def _usage(home: Home) -> dict[str, dict[str, Any]]:
    return {row["resource"]: row for row in home.json("resources", "--json")}


def _types(home: Home, id: str, glob: str) -> list[str]:
    return [event["type"] for event in home.events(id, "--type", glob)]


def test_a_token_budget_warns_and_then_ends_the_workflow_in_the_middle_of_a_turn(
    scripted: Home,
) -> None:
    run = "for i in 1 2 3 4; do echo @usage 300 100; sleep 0.3; done; sleep 60"
    file = scripted.pipeline("spend", [{"key": "a", "run": run}])
    scripted.perles("serve", "--detach")
    id = _create(scripted, file, "--token-budget", "1000", provider="scripted")

    followed = scripted.perles("run", id)
    shown = _ended(scripted, id)

    assert "resource.budget_warning" in followed.stdout
    assert (shown["state"], shown["reason"]) == ("failed", "token budget exhausted")
    assert _types(scripted, id, "resource.budget*") == [
        "resource.budget_warning",
        "resource.budget_exhausted",
    ]
    assert 1200 <= shown["tokens_used"] <= 1600
    assert shown["agents"][1]["pid"] is None
    assert _usage(scripted)["tokens"]["used"] == shown["tokens_used"]
    told = {item["kind"]: item["text"] for item in scripted.json("inbox", "--all", "--json")}
    assert told["budget"] == "80% of the token budget is used: 800 of 1,000 (workflow)"
    assert told["failed"] == "token budget exhausted"


def test_a_workflow_paused_for_its_budget_goes_on_when_the_budget_is_raised(
    scripted: Home,
) -> None:
    _limit(scripted, on_budget_exhausted="pause")
    run = "test -e again || { touch again; echo @usage 0 900 1.5; sleep 60; }"
    file = scripted.pipeline("spend", [{"key": "a", "run": run}])
    scripted.perles("serve", "--detach")
    id = _create(scripted, file, "--cost-budget", "1", provider="scripted")
    scripted.perles("start", id)

    scripted.wait_for("the pause", lambda: _states(scripted)["spend"] == "paused")

    assert scripted.json("show", id, "--json")["reason"] == "cost budget exhausted"
    refused = scripted.perles("resume", id)
    assert refused.returncode == 6
    assert "--cost-budget" in refused.stderr
    too_little = scripted.perles("set", id, "--cost-budget", "1.2")
    assert (too_little.returncode, "1.5 are used" in too_little.stderr) == (2, True)
    assert scripted.perles("set", id, "--cost-budget", "3").returncode == 0
    assert scripted.perles("resume", id).returncode == 0
    assert _ended(scripted, id)["state"] == "completed"


@pytest.mark.parametrize("then", ["fail", "pause"])
def test_an_agent_that_does_not_heed_its_end_spends_no_more_for_long(
    scripted: Home, then: str
) -> None:
    """Beyond its budget it goes on for a second, not for the ten that work may have to end."""
    _limit(scripted, on_budget_exhausted=then)
    run = "trap '' TERM; for i in $(seq 99); do echo @usage 50 50; sleep 0.2; done"
    file = scripted.pipeline("spend", [{"key": "a", "run": run}])
    scripted.perles("serve", "--detach")
    id = _create(scripted, file, "--token-budget", "1000", provider="scripted")
    scripted.perles("start", id)

    wanted = {"fail": "failed", "pause": "paused"}[then]
    scripted.wait_for("the end", lambda: _states(scripted)["spend"] == wanted)

    assert 1000 <= scripted.json("show", id, "--json")["tokens_used"] < 3000


def test_a_price_table_tells_the_cost_of_a_model_whose_cli_does_not(scripted: Home) -> None:
    scripted.config_file.write_text(
        "orchestration: {control_plane: {resource_policy: "
        "{prices: {model-x: {input: 3, output: 15}}}}}"
    )
    file = scripted.pipeline("p", [{"key": "a", "run": "echo @usage 1000000 100000 - model-x"}])
    scripted.perles("serve", "--detach")
    id = _create(scripted, file, provider="scripted")

    scripted.perles("start", id)

    assert _ended(scripted, id)["cost_usd"] == pytest.approx(4.5)


def test_the_global_budget_ends_whoever_crosses_it_and_keeps_ai_workflows_waiting(
    scripted: Home,
) -> None:
    _limit(scripted, token_budget=1000)
    scripted.perles("serve", "--detach")
    spender = scripted.pipeline("spender", [{"key": "a", "run": "echo @usage 0 1500; sleep 60"}])
    id = _create(scripted, spender, provider="scripted")
    scripted.perles("start", id)
    assert _ended(scripted, id)["reason"] == "global token budget exhausted"

    other = _create(scripted, spender, provider="scripted")
    plain = _create(scripted, scripted.pipeline("plain", [{"key": "a", "run": "true"}]))
    waiting = scripted.perles("start", other).stdout
    scripted.perles("start", plain)

    assert "waiting: global token budget exhausted (1500 of 1000 tokens)" in waiting
    assert _ended(scripted, plain)["state"] == "completed"  # it uses no tokens


EVENTS = ("events", "--since", "0", "--json", "--type")


def test_ai_turns_beyond_the_limit_wait_visibly_and_all_end(scripted: Home) -> None:
    _limit(scripted, max_ai_calls=2)
    scripted.perles("serve", "--detach")
    tasks = [{"key": key, "run": f"echo begun; {UNTIL_GO}"} for key in "abc"]
    file = scripted.pipeline("many", tasks, workers=3)
    ids = [_create(scripted, file, "--name", name, provider="scripted") for name in ("x", "y")]
    scripted.perles("start", *ids)

    # From then on all calls are held, until `go` is there.
    scripted.wait_for(
        "two tasks at work", lambda: len(scripted.json_lines(*EVENTS, "worker.output")) == 2
    )
    full = scripted.wait_for(
        "others that wait", lambda: (found := _usage(scripted)["ai_calls"])["queue"] and found
    )

    assert (full["used"], full["queue"][0]["agent"] is not None) == (2, True)
    scripted.wait_for(
        "a queued turn that is shown",
        lambda: any(
            agent["turn_status"] == "queued"
            for id in ids
            for agent in scripted.json("show", id, "--json")["agents"]
        ),
    )
    (scripted.work / "go").touch()
    assert [_ended(scripted, id)["state"] for id in ids] == ["completed", "completed"]
    assert _usage(scripted)["ai_calls"]["used"] == 0
    assert _highest(scripted, "ai_call") == 2


def _highest(home: Home, kind: str) -> int:
    """The most leases of a kind that the journal ever had at once."""
    level = highest = 0
    for event in home.events("--type", "resource.lease_*"):
        if event["payload"]["kind"] == kind:
            level += 1 if event["type"] == "resource.lease_granted" else -1
            highest = max(highest, level)
    return highest


def test_a_turn_that_waits_for_a_call_ends_with_its_workflow(scripted: Home) -> None:
    _limit(scripted, max_ai_calls=1)
    scripted.perles("serve", "--detach")
    file = scripted.pipeline("p", [{"key": "a", "run": f"echo begun; {UNTIL_GO}"}])
    first, second = (_create(scripted, file, "--name", n, provider="scripted") for n in "xy")
    scripted.perles("start", first)
    scripted.wait_for("the task", lambda: "begun" in scripted.perles("events", first).stdout)
    scripted.perles("start", second)
    scripted.wait_for("the wait", lambda: _usage(scripted)["ai_calls"]["waiting"] == 1)

    scripted.perles("pause", second)
    assert _usage(scripted)["ai_calls"]["waiting"] == 0
    scripted.perles("resume", second)
    scripted.wait_for("the wait", lambda: _usage(scripted)["ai_calls"]["waiting"] == 1)
    scripted.perles("stop", second)

    assert _usage(scripted)["ai_calls"]["waiting"] == 0
    (scripted.work / "go").touch()
    assert _ended(scripted, first)["state"] == "completed"


def test_waiting_workflows_stand_in_line_and_set_changes_the_order(home: Home) -> None:
    _limit(home, max_workflows_running=1)
    home.perles("serve", "--detach")
    file = home.pipeline("p", [{"key": "a", "run": UNTIL_GO}])
    ids = {name: _create(home, file, "--name", name) for name in ("r", "x", "y", "z")}
    home.perles("start", ids["r"])
    told = home.perles("start", ids["x"], ids["y"], ids["z"]).stdout

    assert told.count("waiting: 1 of 1 workflows run") == 3
    assert "3rd in line" in home.perles("show", "z").stdout
    home.perles("set", ids["z"], "--priority", "high")
    places = {row["name"]: row["queue_place"] for row in home.json("list", "--json")}
    assert places == {"r": None, "z": 1, "x": 2, "y": 3}
    (home.work / "go").touch()
    for id in ids.values():
        _ended(home, id)
    order = [event["workflow_id"] for event in home.events("--type", "workflow.started")]
    assert order == [ids["r"], ids["z"], ids["x"], ids["y"]]


def test_start_without_waiting_is_refused_beyond_the_limit(home: Home) -> None:
    _limit(home, max_workflows_running=1)
    home.perles("serve", "--detach")
    file = home.pipeline("p", [{"key": "a", "run": UNTIL_GO}])
    first, second = _create(home, file, "--name", "x"), _create(home, file, "--name", "y")
    assert home.perles("start", first, "--no-wait").returncode == 0

    refused = home.perles("start", second, "--no-wait")

    assert (refused.returncode, "1 of 1 workflows run" in refused.stderr) == (6, True)
    shown = home.json("show", second, "--json")
    assert (shown["start_requested_at"], shown["queue_place"]) == (None, None)


def test_a_workflow_without_workers_waits_for_a_slot_and_goes_on(home: Home) -> None:
    _limit(home, max_workers=1)
    home.perles("serve", "--detach")
    file = home.pipeline("p", [{"key": "a", "run": f"echo begun; {UNTIL_GO}"}])
    first, second = _create(home, file, "--name", "x"), _create(home, file, "--name", "y")
    home.perles("start", first)
    home.wait_for("the task", lambda: "begun" in home.perles("events", first).stdout)
    home.perles("start", second)

    home.wait_for("the wait", lambda: _usage(home)["workers"]["waiting"] == 1)
    assert _usage(home)["workers"]["queue"][0]["workflow_id"] == second
    said = home.json("show", second, "--json")["waits_for"]
    assert any(one.startswith("waiting for a worker slot") for one in said), said
    (home.work / "go").touch()

    assert [_ended(home, id)["state"] for id in (first, second)] == ["completed", "completed"]
    assert _highest(home, "worker") == 1


def test_a_port_that_a_stranger_uses_is_skipped_and_a_paused_workflow_holds_none(
    home: Home,
) -> None:
    first = int(home.environ[f"{POLICY}PORT_RANGE_START"])
    stranger = socket.create_server(("127.0.0.1", first))
    home.perles("serve", "--detach")
    file = home.pipeline("p", [{"key": "a", "run": UNTIL_GO}])
    x, y = _create(home, file, "--name", "x"), _create(home, file, "--name", "y")
    home.perles("start", x)
    home.perles("pause", x)
    home.perles("start", y)

    ports = {row["name"]: row["mcp_port"] for row in home.json("list", "--json")}

    stranger.close()
    assert ports == {"x": None, "y": first + 1}
    home.perles("resume", x)
    assert home.json("show", x, "--json")["mcp_port"] == first
    (home.work / "go").touch()
    assert {_ended(home, id)["state"] for id in (x, y)} == {"completed"}


def test_an_exhausted_port_range_is_told_once(home: Home) -> None:
    first = int(home.environ[f"{POLICY}PORT_RANGE_START"])
    _limit(home, port_range_end=first)
    home.perles("serve", "--detach")
    file = home.pipeline("p", [{"key": "a", "run": UNTIL_GO}])
    ids = [_create(home, file, "--name", name) for name in "xyz"]

    home.perles("start", *ids)

    reason = f"waiting: no free port in {first}-{first}"
    rows = {row["name"]: row["reason"] for row in home.json("list", "--json")}
    assert rows == {"x": None, "y": reason, "z": reason}
    assert len(home.events("--type", "resource.exhausted")) == 1
    (home.work / "go").touch()
    assert {_ended(home, id)["state"] for id in ids} == {"completed"}


@pytest.mark.parametrize("how", ["command", "signal"])
def test_a_new_limit_is_taken_up_while_the_engine_runs_and_the_surplus_drains(
    home: Home, how: str
) -> None:
    config = home.work / "c.yaml"
    text = "orchestration: {control_plane: {resource_policy: {max_workflows_running: %d}}}"
    config.write_text(text % 2)
    home.environ["PERLES_CONFIG"] = str(config)
    home.perles("serve", "--detach")
    file = home.pipeline("p", [{"key": "a", "run": UNTIL_GO}])
    ids = [_create(home, file, "--name", name) for name in "xyz"]
    home.perles("start", *ids)
    assert _states(home) == {"x": "running", "y": "running", "z": "pending"}

    config.write_text(text % 1)
    if how == "command":
        told = home.perles("config", "reload")
        assert "max_workflows_running: 2 → 1" in told.stdout
    else:
        import os

        os.kill(home.wait_for_engine(), signal.SIGHUP)
    home.wait_for("the new limit", lambda: _usage(home)["workflows"]["limit"] == 1)

    assert _usage(home)["workflows"]["used"] == 2  # nothing is ended for it
    assert home.json("show", "z", "--json")["reason"] == "waiting: 2 of 1 workflows run"
    home.perles("stop", ids[0])
    assert _states(home)["z"] == "pending"
    config.write_text("orchestration: {control_plane: {resource_policy: {max_workers: 0}}}")
    wrong = home.perles("config", "reload")
    assert (wrong.returncode, "at least 1" in wrong.stderr) == (2, True)
    (home.work / "go").touch()
    assert _ended(home, ids[2])["state"] == "completed"
    assert _highest(home, "workflow") == 2


def test_reload_without_an_engine_says_so(home: Home) -> None:
    result = home.perles("config", "reload")

    assert (result.returncode, "no engine runs" in result.stderr) == (5, True)


def test_a_lease_whose_holder_is_gone_is_released_once_with_an_event(home: Home) -> None:
    id = _create(home, home.pipeline("p", [{"key": "a", "run": "true"}]))
    assert home.perles("run", id).returncode == 0
    with closing(dbapi.connect(home.database)) as connection, connection:
        connection.execute(
            "INSERT INTO leases (kind, workflow_id, acquired_at, created_at, updated_at) "
            "VALUES ('workflow', ?, '2026-01-01T00:00:00.000Z', 'x', 'x')",
            (id,),
        )
    connection.close()

    home.perles("serve", "--exit-when-idle")
    home.perles("serve", "--exit-when-idle")

    released = [
        event["payload"]
        for event in home.events("--type", "resource.lease_released")
        if event["payload"].get("because")
    ]
    assert [payload["because"] for payload in released] == ["its holder is gone"]
    assert _usage(home)["workflows"]["used"] == 0


def test_resources_tell_limits_holders_and_history(home: Home) -> None:
    assert home.perles("run", home.pipeline("p", [{"key": "a", "run": "true"}])).returncode == 0

    shown = home.perles("resources")
    history = json.loads(home.perles("resources", "history", "--json").stdout)

    assert shown.stdout.splitlines()[0].split()[:4] == ["RESOURCE", "USED", "LIMIT", "WAITING"]
    assert {(row["resource"], row["peak"]) for row in history} == {
        ("workflows", 1),
        ("workers", 1),
        ("ports", 1),
    }
    assert home.perles("resources", "history", "--hours", "0").returncode == 2
