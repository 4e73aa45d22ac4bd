"""list, show, events and logs with what narrows them down."""

import json
from typing import Any

import pytest

from tests.integration.cli import Home


@pytest.fixture
def three(home: Home) -> dict[str, str]:
    """Ids by name: one completed, one failed with labels, one pending of high priority."""
    runs = {"alpha": "echo one; echo two", "beta": "echo bad; exit 3", "gamma": "true"}
    ids = {}
    for name, run in runs.items():
        file = home.pipeline(name, [{"key": "a", "run": run}])
        more = {"beta": ["--label", "team=red"], "gamma": ["--priority", "high"]}.get(name, [])
        ids[name] = home.perles("create", file, "--name", name, *more).stdout.strip()
    home.perles("start", "alpha", "beta", "--with-engine")
    home.perles("wait", "alpha", "beta", "--timeout", "100s")
    return ids


def _names(home: Home, *words: str) -> list[str]:
    return [row["name"] for row in home.json("list", "--json", *words)]


def test_what_narrows_a_list_and_orders_it(home: Home, three: dict[str, str]) -> None:
    wanted: list[tuple[str, list[str]]] = [
        ("state:failed", ["beta"]),
        ("state:failed,pending", ["gamma", "beta"]),
        ("-state:failed -pending", ["alpha"]),
        ("label:team=red", ["beta"]),
        ("label:team", ["beta"]),
        ("-label:team", ["gamma", "alpha"]),
        ("team=red", ["beta"]),
        ("agent:worker-1", ["beta", "alpha"]),
        ("agent:builtin name:g*", ["gamma"]),
        ("agent:codex", []),
        ("priority:high", ["gamma"]),
        ("cost:>2", []),
        ("cost:<=0 tokens:0", ["gamma", "beta", "alpha"]),
        ("age:<1d", ["gamma", "beta", "alpha"]),
        ("age:>1d", []),
        ('"lph"', ["alpha"]),
        ("is:archived", []),
    ]
    for text, names in wanted:
        assert _names(home, "--filter", text) == names, text
    assert _names(home, "--sort", "name") == ["alpha", "beta", "gamma"]
    assert _names(home, "--sort", "priority", "--limit", "1") == ["gamma"]
    assert _names(home, "--since", "1h", "--state", "failed") == ["beta"]
    assert _names(home, "--until", "1h") == []
    home.perles("archive", "alpha")
    assert _names(home, "--filter", "is:archived") == ["alpha"]
    assert "alpha" not in _names(home, "--filter", "completed")


def test_why_nothing_is_listed(home: Home) -> None:
    assert "no workflows yet" in home.perles("list").stderr
    id = home.perles("create", home.pipeline("p", [{"key": "a", "run": "true"}])).stdout.strip()
    home.perles("stop", id)
    home.perles("archive", id)

    assert "all workflows are archived: perles list --all" in home.perles("list").stderr
    assert "no workflows fit" in home.perles("list", "--state", "failed").stderr
    assert id in home.perles("list", "--all").stdout


def test_columns_ids_and_no_header(home: Home, three: dict[str, str]) -> None:
    shown = home.perles("list", "--columns", "name,state,labels", "--sort", "name")
    lines = [line.split() for line in shown.stdout.splitlines()]
    assert lines[0] == ["NAME", "STATE", "LABELS"]
    assert lines[2] == ["beta", "failed", "team=red"]
    assert lines[3] == ["gamma", "pending", "-"]
    bare = home.perles("list", "--no-header", "--columns", "id", "--limit", "1").stdout
    assert bare == three["gamma"] + "\n"
    for option in ("-q", "--quiet"):
        assert home.perles("list", option, "--state", "failed").stdout == three["beta"] + "\n"


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["list", "--filter", "state:runing"], "did you mean 'running'"),
        (["list", "--sort", "colour"], "it is one of created"),
        (["list", "--columns", "nam"], "did you mean 'name'"),
        (["list", "--since", "soon"], "write it like 1h"),
        (["events", "--since", "soon"], "write it like 1h"),
        (["logs", "x", "--tail", "-1"], "--tail is 0 or more"),
    ],
)
def test_what_cannot_be_is_told(home: Home, words: list[str], said: str) -> None:
    done = home.perles(*words)

    assert (done.returncode, said in done.stderr) == (2, True), done.stderr


def test_events_since_a_time(home: Home, three: dict[str, str]) -> None:
    def since(when: str) -> list[Any]:
        return home.json_lines("events", "--json", "--type", "task.*,workflow.*", "--since", when)

    every = since("0")
    middle = every[len(every) // 2]

    assert since("1h") == every
    assert since(middle["at"]) == [event for event in every if event["at"] >= middle["at"]]
    assert since(str(middle["seq"]))[0]["seq"] > middle["seq"]


def test_logs_of_several_and_their_last_lines(home: Home, three: dict[str, str]) -> None:
    both: list[dict[str, Any]] = home.json_lines("logs", "alpha", "beta", "--json")
    assert {line["workflow_id"] for line in both} == {three["alpha"], three["beta"]}
    assert {"one", "two", "bad"} <= {line["text"] for line in both}

    last = home.perles("logs", "alpha", "--agent", "worker-1", "--tail", "1").stdout
    assert last == "two\n"
    assert (
        home.perles("logs", "alpha", "--raw", "--agent", "worker-1", "--tail", "1").stdout
        == "two\n"
    )
    assert home.perles("logs", "alpha", "--tail", "0").stdout == ""
    assert "one" in home.perles("logs", "alpha", "--since", "1h").stdout
    heads = home.perles("logs", "alpha", "beta").stdout
    assert f"── {three['beta']} worker-1, turn 1" in heads
    assert "workflow_id" not in home.json_lines("logs", "alpha", "--json")[0]


def test_show_watch_ends_with_the_workflow(home: Home, three: dict[str, str]) -> None:
    done = home.perles("show", "alpha", "--watch")

    assert (done.returncode, "completed" in done.stdout) == (0, True)
    assert json.loads(home.perles("show", "alpha", "--watch", "--json").stdout)["name"] == "alpha"


@pytest.mark.parametrize(
    ("given", "named"),
    [
        ("task.complted", "did you mean 'task.completed'?"),
        ("task.*,workflw.*", "no event has the type 'workflw.*'"),
        ("bogus", "known are agent.*, "),
        ("", "no event has the type ''"),
    ],
)
def test_a_type_that_no_event_has_is_refused_where_events_are_chosen(
    home: Home, given: str, named: str
) -> None:
    """Following it would wait for ever, and nobody would be notified."""
    asked = home.perles("events", "--follow", "--type", given)
    assert asked.returncode == 2
    assert named in asked.stderr

    home.config_file.write_text(
        f"notify:\n  command: ['true']\n  events: {json.dumps(given.split(','))}\n"
    )
    checked = home.perles("config", "check")
    assert checked.returncode == 2
    assert named in checked.stderr


@pytest.mark.parametrize(
    "given", ["*", "task.*,turn.started", "worker.out*", "*.completed, node.*"]
)
def test_globs_that_fit_some_type_choose_events(home: Home, given: str) -> None:
    assert home.perles("events", "--type", given).returncode == 0
