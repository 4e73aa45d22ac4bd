"""A person's decisions are a person's: what an agent's process tries is refused and told."""

import os
import sys
from contextlib import closing
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from perles.executor.local.processes import environ_of
from perles.store.sqlite.driver import dbapi
from tests.integration.cli import Home

PERLES = f"{sys.executable} -m perles"
BARE = "env -u PERLES_AGENT -u PERLES_TURN -u PERLES_WORKFLOW"


def script(home: Home, name: str, lines: list[str]) -> str:
    """A shell script that keeps the exit code of each line in `codes`; the command to run it.

    What it runs works on this home: a task is not told where its engine's is.
    """
    path = home.work / f"{name}.sh"
    numbered = [f"{line} >>{name}.log 2>&1; echo $? >>{name}.codes" for line in lines]
    path.write_text("\n".join([f"export PERLES_HOME={home.root}", *numbered]))
    return f"cd {home.work} && sh {path}"


def codes(home: Home, name: str) -> list[int]:
    path = home.work / f"{name}.codes"
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def tried(home: Home, name: str, count: int) -> bool:
    return len(codes(home, name)) >= count


def rows(home: Home, query: str, *values: str) -> list[Any]:
    with closing(dbapi.connect(home.database)) as connection:
        found: list[Any] = connection.execute(query, values).fetchall()
        return found


def made(home: Home, *args: str | Path) -> str:
    result = home.perles("create", *args)
    assert result.returncode == 0, result.stderr
    return result.stdout.split()[0]


def test_an_agent_decides_nothing_that_is_a_persons(home: Home) -> None:
    other = made(home, home.pipeline("other", [{"key": "x", "run": "true"}]))
    tries = [
        "approve $PERLES_WORKFLOW ok",
        "set $PERLES_WORKFLOW --token-budget 0",
        f"stop {other}",
        f"send {other} hello",
        "post $PERLES_WORKFLOW hello",
        "inbox ack --all",
        "config init",
        "engine stop",
        "nodes drain box1",
        "answer $PERLES_WORKFLOW 1 yes",
    ]
    lines = [f"{PERLES} {one}" for one in tries]
    lines += [f"{BARE} setsid -w {PERLES} approve $PERLES_WORKFLOW ok", f"{PERLES} list"]
    tasks: list[dict[str, Any]] = [
        {"key": "ok", "assignee": "human", "question": "deploy?"},
        {"key": "try", "run": script(home, "try", lines)},
        {"key": "deploy", "run": "touch deployed", "after": ["ok", "try"]},
    ]
    gated = made(home, home.pipeline("gated", tasks))
    assert home.perles("serve", "--detach").returncode == 0
    assert home.perles("start", gated).returncode == 0
    for number in range(1, len(lines) + 1):
        home.wait_for(f"try {number}", partial(tried, home, "try", number))

    said = (home.work / "try.log").read_text()
    assert codes(home, "try") == [4] * (len(lines) - 1) + [0], said
    assert said.count("only a person may") == len(lines) - 1
    assert not (home.work / ".perles").exists()
    assert not (home.work / "deployed").exists()
    rejected = [event for event in home.events() if event["type"] == "security.rejected"]
    assert len(rejected) == 5
    assert rejected[0]["workflow_id"] == gated
    assert rejected[0]["payload"]["by"]["agent"] == "worker-1"
    notes = home.json("inbox", "--json")
    assert any("tried to approve" in note["text"] for note in notes), notes

    assert home.perles("approve", gated, "ok").returncode == 0
    home.wait_for("the end", lambda: home.json("show", gated, "--json")["state"] == "completed")
    (approved,) = [event for event in home.events() if event["type"] == "task.approved"]
    by = approved["payload"]["by"]
    assert by["uid"] == os.getuid()
    assert by["pid"] > 0
    assert "agent" not in by
    asked = rows(home, "SELECT source, origin IS NOT NULL FROM commands WHERE kind = 'approve'")
    assert asked == [("user", 1)]


def test_an_agent_runs_workflows_of_its_own(home: Home) -> None:
    inner = home.pipeline("inner", [{"key": "x", "run": "echo inside"}])
    lines = [
        f"{PERLES} run {inner} --name nested",
        f"{PERLES} show nested",
        f"{PERLES} create {inner} --name idle",
        f"{PERLES} stop idle",
        f"{PERLES} set idle --priority high",
        f"PERLES_HOME={home.work}/apart {PERLES} create {inner} --name apart",
        f"PERLES_HOME={home.work}/apart {PERLES} set apart --priority high",
    ]
    task = {"key": "nest", "run": f"{script(home, 'nest', lines)}; true"}
    result = home.perles("run", home.pipeline("outer", [task]))
    assert result.returncode == 0, result.stdout + result.stderr
    said = (home.work / "nest.log").read_text()
    assert codes(home, "nest") == [0, 0, 0, 0, 4, 0, 0], said
    asked = rows(home, "SELECT DISTINCT source FROM commands WHERE kind IN ('start', 'stop')")
    assert sorted(source for (source,) in asked) == ["agent", "user"]


@pytest.mark.afresh  # the kernel tells with which environment a process started
def test_an_engine_that_an_agent_brings_up_is_not_the_agents(home: Home) -> None:
    file = home.pipeline("p", [{"key": "x", "run": "sleep 60"}])
    marked = {"PERLES_TURN": "wf-aaaaaaaa/1", "PERLES_AGENT": "worker-1"}
    home.environ |= marked
    run = home.popen("run", file)
    try:
        pid = home.wait_for_engine()
        names = {entry.partition(b"=")[0] for entry in environ_of(pid)}
        assert b"PERLES_HOME" in names
        assert not names & {b"PERLES_TURN", b"PERLES_AGENT"}
    finally:
        run.kill()
        run.communicate()


def test_who_took_note_of_an_inbox_entry_is_kept(home: Home) -> None:
    home.perles("run", home.pipeline("fails", [{"key": "a", "run": "exit 3"}]))
    (before,) = home.json("inbox", "--all", "--json")

    assert home.perles("inbox", "ack", "--all").returncode == 0

    (after,) = home.json("inbox", "--all", "--json")
    assert before["acknowledged_by"] is None
    assert after["acknowledged_by"]["uid"] == os.getuid()
    assert after["acknowledged_by"]["pid"] > 0
    assert after["acknowledged_at"] is not None
