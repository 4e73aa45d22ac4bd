"""pause, resume, stop, fail, retry, archive: on several workflows, in any state."""

from functools import partial
from pathlib import Path
from typing import Any

import pytest

from perles.executor.local.processes import family
from tests.integration.cli import Home

pytestmark = pytest.mark.measured

SLEEPER = [{"key": "a", "run": "echo begun; sleep 61"}]


@pytest.fixture
def served(home: Home) -> Home:
    home.perles("serve", "--detach")
    return home


def _create(home: Home, name: str, *options: str) -> str:
    return home.perles("create", home.pipeline(name, SLEEPER), *options).stdout.strip()


def _states(home: Home) -> dict[str, str]:
    return {row["name"]: row["state"] for row in home.json("list", "--all", "--json")}


def _begun(home: Home, *names: str) -> None:
    for name in names:
        home.wait_for(f"{name}'s command", partial(_has_begun, home, name))


def _has_begun(home: Home, name: str) -> bool:
    return "begun" in home.perles("logs", name).stdout


def test_a_label_chooses_several_workflows(served: Home) -> None:
    for name in ("x", "y"):
        _create(served, name, "--label", "team=red")
    _create(served, "z", "--label", "team=blue")

    assert served.perles("start", "--label", "team=red").returncode == 0
    _begun(served, "x", "y")
    assert served.perles("pause", "--label", "team=red").returncode == 0

    assert _states(served) == {"x": "paused", "y": "paused", "z": "pending"}


def test_all_means_all_that_it_can_be_done_to(served: Home) -> None:
    for name in ("x", "y"):
        _create(served, name)
    served.perles("start", "x")
    _begun(served, "x")

    told = served.perles("pause", "--all")
    stopped = served.perles("stop", "--all", "--reason", "home time")

    assert (told.returncode, len(told.stdout.splitlines())) == (0, 1)
    assert (stopped.returncode, len(stopped.stdout.splitlines())) == (0, 2)
    assert set(_states(served).values()) == {"stopped"}


def test_a_state_narrows_the_choice(home: Home) -> None:
    for name in ("x", "y"):
        _create(home, name)
    home.perles("stop", "x")

    assert home.perles("archive", "--state", "stopped").returncode == 0

    assert [row["name"] for row in home.json("list", "--json")] == ["y"]


def test_a_name_means_its_workflow_and_not_one_whose_id_begins_so(home: Home) -> None:
    other = _create(home, "other")
    letter = other.removeprefix("wf-")[0]
    _create(home, letter)

    home.perles("stop", letter)

    states = {row["name"]: row["state"] for row in home.json("list", "--json")}
    assert states == {"other": "pending", letter: "stopped"}


def test_nothing_that_fits_is_no_failure(home: Home) -> None:
    result = home.perles("pause", "--all")

    assert (result.returncode, result.stdout) == (0, "")
    assert "nothing to do" in result.stderr


@pytest.mark.parametrize("verb", ["start", "pause", "resume", "stop", "archive", "retry"])
def test_a_verb_without_workflows_is_refused(home: Home, verb: str) -> None:
    result = home.perles(verb)

    assert result.returncode == 2
    assert "--all" in result.stderr


def test_ids_and_selectors_together_are_refused(home: Home) -> None:
    assert home.perles("stop", "wf-x", "--all").returncode == 2


@pytest.mark.parametrize("verb", ["pause", "resume", "retry", "archive"])
def test_the_wrong_state_is_told_and_exits_4(home: Home, verb: str) -> None:
    id = _create(home, "p")

    result = home.perles(verb, id)

    assert result.returncode == 4
    assert f"cannot {verb} workflow {id}: it is pending" in result.stderr


def test_one_in_the_wrong_state_does_not_spare_the_others(home: Home) -> None:
    first, second = _create(home, "x"), _create(home, "y")
    home.perles("stop", first)

    result = home.perles("stop", first, second)

    assert result.returncode == 4
    assert _states(home) == {"x": "stopped", "y": "stopped"}


def test_a_failed_workflow_keeps_the_reason_and_nothing_runs(served: Home) -> None:
    id = _create(served, "p")
    served.perles("start", id)
    _begun(served, id)

    assert served.perles("fail", id, "--reason", "no budget left").returncode == 0

    shown = served.json("show", id, "--json")
    assert (shown["state"], shown["reason"]) == ("failed", "no budget left")
    assert family([f"PERLES_WORKFLOW={id}"]) == []


def test_fail_needs_a_reason(home: Home) -> None:
    assert home.perles("fail", _create(home, "p")).returncode == 2
    assert home.perles("fail", "p", "--reason", " ").returncode == 2


def test_an_archived_workflow_is_out_of_sight_and_not_gone(home: Home) -> None:
    id = _create(home, "p")
    home.perles("stop", id)

    assert home.perles("archive", id).stdout == f"archived {id}\n"

    assert home.json("list", "--json") == []
    assert [row["id"] for row in home.json("list", "--all", "--json")] == [id]
    assert home.events("--type", "workflow.archived", id)


def _twice(home: Home) -> Path:
    tasks: list[dict[str, Any]] = [
        {"key": "a", "run": "echo a >> ran"},
        {"key": "b", "run": "test -e go && echo b >> ran", "after": ["a"]},
        {"key": "c", "run": "echo c >> ran", "after": ["b"]},
    ]
    return home.pipeline("twice", tasks)


def test_a_retry_does_only_what_was_not_done(home: Home) -> None:
    file = _twice(home)
    assert home.perles("run", file, "--label", "k=v", "--priority", "high").returncode == 1
    old = home.only()
    (home.work / "go").touch()

    told = home.perles("retry", old)

    (new,) = home.json("list", "--state", "pending", "--json")
    assert new["id"] in told.stdout
    assert (new["labels"], new["priority"]) == ({"k": "v"}, "high")
    assert home.perles("run", new["id"]).returncode == 0
    assert (home.work / "ran").read_text().split() == ["a", "b", "c"]
    assert home.json("show", old, "--json")["state"] == "failed"


def test_a_name_means_the_retry_not_what_it_retries(home: Home) -> None:
    home.perles("run", _twice(home))
    old = home.only()

    home.perles("retry", "twice")

    assert home.json("show", "twice", "--json")["id"] != old


def test_a_retry_can_be_started_at_once(served: Home) -> None:
    served.perles("run", _twice(served))
    (served.work / "go").touch()

    served.perles("retry", "twice", "--start")

    served.wait_for("its end", lambda: "completed" in served.perles("list").stdout)


def test_a_start_that_waits_for_an_engine_ends_with_its_workflow(home: Home) -> None:
    id, other = _create(home, "p"), _create(home, "other")
    for one in (id, other):
        assert "no engine runs" in home.perles("start", one).stdout
    assert home.perles("stop", id).returncode == 0

    assert "engine" not in home.perles("show", id).stdout
    assert "engine    no engine runs" in home.perles("show", other).stdout
    removed = home.perles("rm", id)
    assert (removed.returncode, removed.stdout) == (0, f"removed {id}\n")
    assert _states(home) == {"other": "pending"}
