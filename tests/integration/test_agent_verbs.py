"""One agent of a running workflow is added, stopped, resumed, retired or replaced by a person."""

from typing import Any

import pytest

from perles.executor.local.processes import family
from tests.integration.cli import Home

WAITS = [{"key": "a", "run": "echo begun >> tries; until test -e go; do sleep 0.05; done"}]


@pytest.fixture
def begun(home: Home) -> Home:
    """A workflow of one worker, which works at its task until there is a file `go`."""
    home.perles("serve", "--detach")
    home.perles("create", home.pipeline("p", WAITS, workers=1))
    home.perles("start", "p")
    _tried(home, 1)
    return home


def _tried(home: Home, times: int) -> None:
    tries = home.work / "tries"
    home.wait_for(f"try {times}", lambda: tries.exists() and tries.read_text() == "begun\n" * times)


def _status(home: Home, agent: str) -> Any:
    found = home.json("show", "p", "--json")["agents"]
    return {one["name"]: one["status"] for one in found}.get(agent)


def _finish(home: Home) -> dict[str, Any]:
    """Let the task end; the workflow, completed."""
    (home.work / "go").touch()
    home.wait_for("the end", lambda: home.json("show", "p", "--json")["state"] != "running")
    shown: dict[str, Any] = home.json("show", "p", "--json")
    assert shown["state"] == "completed", shown["reason"]
    return shown


def test_a_worker_that_is_retired_gives_its_task_back_at_no_cost(begun: Home) -> None:
    result = begun.perles("agent", "retire", "p", "worker-1", "-m", "too slow")

    assert result.stdout == f"retired worker-1 of {begun.only()}\n", result.stderr
    _tried(begun, 2)
    assert _status(begun, "worker-1") == "retired"
    task = _finish(begun)["tasks"][0]
    assert (task["assignee"], task["attempt"]) == ("worker-2", 2)
    told = begun.events("--type", "coordinator.incoming")
    said = "the user retired worker-1 (too slow); its task a is ready again"
    assert said in [event["payload"]["text"] for event in told]


def test_a_worker_that_is_stopped_has_no_process_and_can_go_on(begun: Home) -> None:
    turn = begun.events("--type", "turn.started")[-1]

    assert begun.perles("agent", "stop", "p", "worker-1", "--force").returncode == 0

    assert family([f"PERLES_TURN={turn['workflow_id']}/{turn['turn']}"]) == []
    assert _status(begun, "worker-1") == "stopped"
    assert begun.json("show", "p", "--json")["tasks"][0]["status"] == "ready"
    assert begun.perles("send", "p", "--to", "worker-1", "wait a little").returncode == 0

    assert begun.perles("agent", "resume", "p", "worker-1").returncode == 0

    _tried(begun, 2)
    assert _finish(begun)["tasks"][0]["assignee"] == "worker-1"


@pytest.mark.parametrize("agent", ["worker", "coordinator"])
def test_one_that_is_replaced_has_a_successor_that_goes_on(begun: Home, agent: str) -> None:
    name = "worker-1" if agent == "worker" else agent

    result = begun.perles("agent", "replace", "p", name)

    assert result.stdout == f"replaced {name} of {begun.only()} by {agent}-2\n", result.stderr
    assert begun.perles("send", "p", "hello").returncode == 0, "the coordinator of today is meant"
    if agent == "worker":
        _tried(begun, 2)
    shown = _finish(begun)
    assert shown["tasks"][0]["attempt"] == 1
    assert shown["tasks"][0]["assignee"] == ("worker-2" if agent == "worker" else "worker-1")


def test_a_worker_is_added_beyond_the_number_of_the_workflow(begun: Home) -> None:
    result = begun.perles("agent", "spawn", "p", "--json")

    assert result.returncode == 0, result.stderr
    assert _status(begun, "worker-2") == "ready"
    assert begun.json("show", "p", "--json")["workers"] == 2


@pytest.mark.parametrize(
    ("args", "code", "said"),
    [
        (("retire", "p", "coordinator"), 2, "a workflow needs it; replace it instead"),
        (("stop", "p", "worker-7"), 3, "the agents of "),
        (("resume", "p", "worker-1"), 4, "cannot resume agent"),
        (("spawn", "p", "--provider", "codex"), 1, "cannot spawn a worker of 'codex'"),
        (("stop", "p"), 2, "missing argument"),
    ],
)
def test_what_cannot_be_done_is_refused_and_changes_nothing(
    begun: Home, args: tuple[str, ...], code: int, said: str
) -> None:
    result = begun.perles("agent", *args)

    assert (result.returncode, result.stderr.count("\n")) == (code, 1), result.stderr
    assert said in result.stderr
    assert _status(begun, "worker-1") == "working"


def test_a_workflow_that_does_not_run_has_no_agent_to_stop(home: Home) -> None:
    home.perles("create", home.pipeline("p", WAITS))

    result = home.perles("agent", "stop", "p", "worker-1")

    assert result.returncode == 4
    assert "cannot stop agents of workflow" in result.stderr
