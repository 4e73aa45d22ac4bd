"""The line for room: who resumes stands in it like who starts, and who needs nothing passes."""

from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from perles.store.sqlite.driver import dbapi
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


def test_what_a_paused_workflow_held_is_for_others_until_it_goes_on(home: Home) -> None:
    """One port and one worker slot are all there is; a resume waits in line for them."""
    first = home.environ[f"{POLICY}PORT_RANGE_START"]
    _limit(home, max_workers=1, port_range_end=first)
    home.perles("serve", "--detach")
    file = home.pipeline("x", [{"key": "a", "run": UNTIL_GO}])
    paused, other = _create(home, file), _create(home, file)
    home.perles("start", paused)
    home.wait_for("its worker", lambda: home.json("tasks", paused, "--json")[0]["assignee"])
    home.perles("pause", paused)
    assert [row["used"] for row in home.json("resources", "--json")[:4]] == [0, 0, 0, 0]
    home.perles("start", other)
    home.wait_for("its worker", lambda: home.json("tasks", other, "--json")[0]["assignee"])

    asked = home.perles("resume", paused)

    assert asked.stdout == f"{paused} is waiting: 1 of 1 workers live\n"
    shown = home.json("show", paused, "--json")
    assert (shown["state"], shown["queue_place"]) == ("paused", 1)
    told = home.perles("doctor", paused).stdout
    assert f"1 of 1 workers live: 1 of x ({other})" in told
    (home.work / "go").touch()
    assert [_ended(home, id)["state"] for id in (other, paused)] == ["completed", "completed"]


def test_a_worker_without_a_slot_after_a_pause_waits_for_one_by_name(home: Home) -> None:
    _limit(home, max_workers=2)
    home.perles("serve", "--detach")
    tasks = [{"key": key, "run": UNTIL_GO} for key in "ab"]
    paused = _create(home, home.pipeline("x", tasks))
    other = _create(home, home.pipeline("y", tasks[:1]))
    home.perles("start", paused)
    home.wait_for(
        "its workers", lambda: all(t["assignee"] for t in home.json("tasks", paused, "--json"))
    )
    home.perles("pause", paused)
    home.perles("start", other)
    home.wait_for("its worker", lambda: home.json("tasks", other, "--json")[0]["assignee"])

    assert home.perles("resume", paused).returncode == 0

    said = "waiting for a worker slot (worker-2)"
    home.wait_for(
        "it to be named", lambda: said in home.json("show", paused, "--json")["waits_for"]
    )
    assert (
        f"2 of 2 workers live: 1 of y ({other}), 1 of x ({paused})"
        in home.perles("doctor", paused).stdout
    )
    (line,) = [row for row in home.json("resources", "--json") if row["resource"] == "workers"]
    assert [(one["workflow_id"], one["agent"]) for one in line["queue"]] == [(paused, "worker-2")]
    (home.work / "go").touch()
    assert [_ended(home, id)["state"] for id in (other, paused)] == ["completed", "completed"]


def test_a_used_up_budget_of_all_holds_back_whose_workers_would_spend(home: Home) -> None:
    """The builtin coordinator costs nothing; its tasks are for agents that do."""
    scripted_provider.install(home)
    config = _token_budget(home, 100)
    home.perles("--config", config, "serve", "--detach")
    spends = home.pipeline("spends", [{"key": "a", "run": "echo @usage 100 100; sleep 60"}])
    first = _create(home, spends, provider="scripted")
    home.perles("start", first)
    assert _ended(home, first)["reason"] == "global token budget exhausted"
    asks = home.pipeline("asks", [{"key": "a", "prompt": "Think.", "worker": "scripted"}])
    id = _create(home, asks)

    held = home.perles("start", id)

    assert "global token budget exhausted (200 of 100 tokens)" in held.stdout
    shown = home.json("show", id, "--json")
    assert (shown["state"], shown["queue_place"]) == ("pending", 1)
    checked = home.perles("doctor", id)
    assert checked.returncode == 1
    assert "global token budget exhausted" in checked.stdout
    free = _create(home, home.pipeline("free", [{"key": "a", "run": "true"}]))
    home.perles("start", free)
    assert _ended(home, free)["state"] == "completed", "it passes in the line"
    _token_budget(home, 100_000)
    home.perles("config", "reload")
    home.wait_for("the start", lambda: home.json("show", id, "--json")["state"] != "pending")


def test_a_turn_that_waits_for_a_used_up_budget_names_it(home: Home) -> None:
    scripted_provider.install(home)
    config = _token_budget(home, 100_000)
    home.perles("--config", config, "serve", "--detach")
    tasks: list[dict[str, Any]] = [{"key": "a", "run": UNTIL_GO}]
    tasks.append({"key": "b", "run": "true", "after": ["a"]})
    id = _create(home, home.pipeline("late", tasks), provider="scripted")
    spends = home.pipeline("spends", [{"key": "a", "run": "echo @usage 200 0; sleep 1"}])
    other = _create(home, spends, provider="scripted")
    home.perles("start", id)
    home.perles("start", other)
    _ended(home, other)
    _token_budget(home, 100)
    home.perles("config", "reload")
    (home.work / "go").touch()

    said = "waiting, global token budget exhausted: "

    def named() -> bool:
        return any(text.startswith(said) for text in home.json("show", id, "--json")["waits_for"])

    home.wait_for("the budget to be named", named)
    assert said in home.perles("list").stdout
    told = home.perles("doctor", id)
    assert (told.returncode, said in told.stdout) == (1, True)
    (queued,) = [e for e in home.events("--type", "turn.queued") if e["workflow_id"] == id]
    assert "the budget of all workflows is used up; raise token_budget" in str(queued["payload"])
    _token_budget(home, 100_000)
    home.perles("config", "reload")
    assert _ended(home, id)["state"] == "completed"


def test_a_task_that_no_worker_can_ever_do_fails_with_the_reason(home: Home) -> None:
    """Its provider was there when the workflow was created, and is not any more."""
    scripted_provider.install(home)
    tasks: list[dict[str, Any]] = [
        {"key": "ask", "prompt": "Think.", "worker": "scripted"},
        {"key": "other", "run": "true"},
    ]
    id = _create(home, home.pipeline("p", tasks))
    with closing(dbapi.connect(home.database)) as connection, connection:
        connection.execute("UPDATE tasks SET worker = 'nowhere' WHERE key = 'ask'")
    connection.close()
    home.perles("serve", "--detach")

    home.perles("start", id)

    shown = _ended(home, id)
    failures = {task["key"]: task["failure"] for task in shown["tasks"]}
    assert shown["state"] == "failed"
    assert failures["ask"].startswith("cannot ever spawn a worker of nowhere: cannot find provider")
    assert failures["other"] is None


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
