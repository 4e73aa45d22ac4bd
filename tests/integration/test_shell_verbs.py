"""wait, attach, rename, label, rm, and the ways to run and create."""

import json
import select
import signal
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli import DEADLINE, Home

ONE: list[dict[str, Any]] = [{"key": "a", "run": "true"}]


def _create(home: Home, name: str, run: str = "true", *options: str) -> str:
    file = home.pipeline(name, [{"key": "a", "run": run}])
    return home.perles("create", file, "--name", name, *options).stdout.strip()


def test_a_command_runs_as_a_workflow_of_its_own(home: Home) -> None:
    done = home.perles("run", "--name", "say", "--", "printf", "%s|", "a b", "$HOME", "{{ x }}")

    assert done.returncode == 0, done.stderr
    assert "a b|$HOME|{{ x }}|" in done.stdout
    assert home.perles("run", "--", "echo one && exit 3").returncode == 1
    names = [row["name"] for row in home.json("list", "--json")]
    assert names == ["echo one && exit 3", "say"]


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["run"], "cannot tell what to do"),
        (["run", "--"], "give a command behind --"),
        (["run", "x.yaml", "--", "true"], "cannot tell what to do"),
        (["create"], "cannot tell what to do"),
        (["label", "wf-x"], "without a label"),
        (["label", "a=b"], "give an id"),
        (["wait", "x", "--for", "done"], "cannot wait for state done"),
        (["rm", "--all", "--force"], "name them"),
        (["rm"], "cannot tell which workflows"),
    ],
)
def test_what_cannot_be_meant_is_told(home: Home, words: list[str], said: str) -> None:
    done = home.perles(*words)

    assert done.returncode == 2
    assert said in done.stderr
    assert len(done.stderr.splitlines()) <= 2


def test_detached_it_goes_on_by_itself(home: Home) -> None:
    file = home.pipeline("p", [{"key": "a", "run": "true"}])

    id = home.perles("run", "-d", file).stdout.strip()

    assert home.perles("wait", id, "--timeout", "180s").returncode == 0
    assert home.json("show", id, "--json")["state"] == "completed"
    again = json.loads(home.perles("run", "--detach", "--json", file).stdout)
    assert (again["exit_code"], again["state"] in ("running", "completed")) == (None, True)
    assert home.perles("wait", again["id"]).returncode == 0


def test_a_dry_run_writes_nothing(home: Home) -> None:
    file = home.pipeline(
        "p", [{"key": "a", "run": "make"}, {"key": "b", "after": ["a"], "run": "x"}]
    )

    shown = home.perles("run", "--dry-run", file).stdout.splitlines()

    assert shown[0].split() == ["KEY", "NAME", "AFTER", "BY"]
    assert shown[1].split() == ["a", "a", "make"]
    assert home.json("run", "--dry-run", "--json", file)[1]["after"] == ["a"]
    assert home.json("list", "--json") == []
    assert home.perles("run", "--dry-run", "nope.yaml").returncode == 2


def test_create_reads_standard_input(home: Home) -> None:
    child = home.popen("create", "-", stdin=-1)
    out, err = child.communicate("name: piped\ntasks: [{key: a, run: 'true'}]\n", timeout=DEADLINE)

    assert child.returncode == 0, err
    assert home.json("show", out.strip(), "--json")["name"] == "piped"


def test_start_brings_an_engine(home: Home) -> None:
    id = _create(home, "p")
    assert "no engine runs" in home.perles("start", id).stdout

    assert home.perles("start", _create(home, "q"), "--with-engine").returncode == 0

    assert home.perles("wait", "p", "q", "--timeout", "180s").returncode == 0


def test_wait_tells_how_it_ended(home: Home) -> None:
    good, bad, idle = _create(home, "good"), _create(home, "bad", "exit 1"), _create(home, "idle")
    home.perles("start", good, bad, "--with-engine")

    assert home.perles("wait", good).returncode == 0
    done = home.perles("wait", good, bad, "--json")
    states = [json.loads(line)["state"] for line in done.stdout.splitlines()]
    assert (done.returncode, states) == (1, ["completed", "failed"])
    assert home.perles("wait", bad, "--for", "failed,stopped").returncode == 0
    assert home.perles("wait", good, "--for", "paused").returncode == 1
    assert home.perles("wait", idle, "--timeout", "0").returncode == 124
    late = home.perles("wait", idle, "--timeout", "100ms")
    assert (late.returncode, "within 100ms" in late.stderr) == (124, True)
    assert home.perles("wait", "nope").returncode == 3


def test_attach_looks_on_and_away(home: Home) -> None:
    gate = home.work / "gate"
    id = _create(home, "p", f"until [ -e {gate} ]; do sleep 0.05; done")
    home.perles("start", id, "--with-engine")
    assert home.perles("wait", id, "--for", "running").returncode == 0
    looking = home.popen("attach", id, "--json")
    assert looking.stdout is not None
    told = looking.stdout

    def sees() -> bool:
        """It tells what is said from when it looks on: only it knows when that is."""
        return home.perles("send", id, "hi").returncode == 0 and bool(
            select.select([told], [], [], 0)[0]
        )

    home.wait_for("its first line", sees)

    looking.send_signal(signal.SIGINT)

    looking.communicate(timeout=DEADLINE)
    assert looking.returncode == 130
    assert home.json("show", id, "--json")["state"] == "running"
    gate.touch()
    assert home.perles("attach", id).returncode == 0


def test_names_and_labels_change_in_every_state(home: Home) -> None:
    id = _create(home, "p", "true", "--label", "team=core", "--label", "urgent=1")

    assert home.perles("rename", id, "a new name").returncode == 0
    assert home.perles("label", "a new name", "team=web", "urgent-", "x=y=z").returncode == 0

    shown = home.json("show", id, "--json")
    assert (shown["name"], shown["labels"]) == ("a new name", {"team": "web", "x": "y=z"})
    home.perles("stop", id)
    assert home.json("label", id, "x-", "--json")["status"] == "succeeded"
    assert home.json("show", id, "--json")["labels"] == {"team": "web"}
    assert [row["id"] for row in home.json("list", "--label", "team=web", "--json")] == [id]
    assert home.perles("rename", id, " ").returncode == 2
    assert home.perles("label", id, "a=b\nc").returncode == 2
    changed = [event for event in home.events() if event["type"] == "workflow.changed"]
    assert [event["payload"].get("labels") for event in changed][1:] == [
        {"team": "web", "x": "y=z"},
        {"team": "web"},
    ]


def test_rm_removes_what_has_ended(home: Home) -> None:
    done, open_, forced = (_create(home, name) for name in ("done", "open", "forced"))
    home.perles("stop", done)

    refused = home.perles("rm", open_)
    assert (refused.returncode, "it is pending" in refused.stderr) == (4, True)
    assert home.json("rm", "--all", "--dry-run", "--json")["pruned"] == [done]
    assert home.perles("rm", "done").stdout == f"removed {done}\n"
    assert home.perles("rm", "--force", "forced").returncode == 0

    assert [row["id"] for row in home.json("list", "--all", "--json")] == [open_]
    assert home.perles("show", forced).returncode == 3


def test_perles_alone_shows_the_way_in(home: Home) -> None:
    alone, whole = home.perles(), home.perles("--help")

    assert len(alone.stdout.splitlines()) < 24 < len(whole.stdout.splitlines())
    assert "perles run build.yaml" in alone.stdout
    assert Path(home.work).is_dir()
