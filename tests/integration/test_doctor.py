"""`perles doctor`: what is wrong with a machine or a workflow, and what to do about it."""

import os
import re
import socket
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from perles.agents import executable
from perles.config.home import Paths
from perles.config.model import Config, HealthPolicy, ResourcePolicy
from perles.doctor import machine, workflow
from perles.doctor.finding import Finding
from perles.doctor.machine import agents, database, ports
from perles.doctor.machine.ports import Holder
from perles.doctor.workflow import alarms
from perles.domain.commands import COMMANDS
from perles.domain.states import RETRIABLE
from perles.store.reads.workflow import show_workflow
from perles.store.schema.resources import Lease, ResourceLimit
from tests.integration.cli import Home
from tests.integration.crew import Crew

ID = "wf-aaaaaaaa"


@pytest.fixture
def crew(home: Home) -> Iterator[Crew]:
    made = Crew(home.database)
    yield made
    made.close()


def _examine(
    crew: Crew, id: str = ID, *, engine: bool = True, config: Config | None = None
) -> list[Finding]:
    with crew.reading() as connection:
        shown = show_workflow(connection, id)
        found = workflow.examine(workflow.Case(connection, shown, config or Config(), engine))
    for finding in found:
        _need_possible(finding.advice, id, shown["state"])
    return found


def _need_possible(advice: str, id: str, state: str) -> None:
    """Fail where advice names a command that the state of the workflow refuses."""
    states = {kind: set(one.states) for kind, one in COMMANDS.items()} | {"retry": set(RETRIABLE)}
    for verb in re.findall(rf"perles (\w+) {id}", advice):
        assert verb in ("show", "logs") or state in states[verb], advice


def _only(found: list[Finding], check: str) -> Finding:
    (finding,) = [one for one in found if one.check == check]
    return finding


# A workflow that waits to start.


def test_pending_names_the_limit_who_holds_it_and_the_place(crew: Crew) -> None:
    crew.insert(ResourceLimit, resource="workflows", value=1)
    other = crew.workflow("wf-bbbbbbbb", name="nightly")
    crew.insert(Lease, kind="workflow", workflow_id=other, acquired_at=crew.at())
    asked = {"start_requested_at": crew.at(minutes=1), "reason": "waiting: 1 of 1 workflows run"}
    crew.workflow(ID, "pending", **asked)

    found = _only(_examine(crew), "pending")
    assert found.level == "note"
    assert "1 of 1 workflows run: nightly (wf-bbbbbbbb); place 1 in line" in found.text
    assert "max_workflows_running" in found.advice


def test_pending_for_a_port_names_who_holds_ports(crew: Crew) -> None:
    other = crew.workflow("wf-bbbbbbbb", "running", name="nightly")
    crew.insert(Lease, kind="port", value=9000, workflow_id=other, acquired_at=crew.at())
    asked = {"start_requested_at": crew.at(), "reason": "waiting: no free port in 9000-9000"}
    crew.workflow(ID, "pending", **asked)

    found = _only(_examine(crew), "pending")
    assert found.level == "problem"
    assert "9000 nightly (wf-bbbbbbbb)" in found.text


def test_pending_without_an_engine_is_a_problem(crew: Crew) -> None:
    crew.workflow(ID, "pending", start_requested_at=crew.at())

    (found,) = _examine(crew, engine=False)
    assert (found.level, found.advice) == ("problem", "perles serve --detach")


def test_one_that_nobody_started_is_no_problem(crew: Crew) -> None:
    crew.workflow(ID, "pending")

    assert _only(_examine(crew, engine=False), "pending").advice == f"perles start {ID}"


# A workflow that runs.


def test_stuck_is_a_problem_and_says_what_it_does(crew: Crew) -> None:
    crew.workflow(ID, health="stuck", last_progress_at=crew.at(minutes=20))
    task = crew.task(ID, "a", "in_progress", run="sleep 1000")
    crew.turn(ID, crew.agent(ID, "worker-1", task_id=task), started_at=crew.at(minutes=20))

    found = _examine(crew)
    assert _only(found, "health").level == "problem"
    assert f"perles stop {ID}" in _only(found, "health").advice
    assert _only(found, "now").text.startswith("worker-1: sleep 1000, 2")


@pytest.mark.parametrize(("status", "told"), [("running", True), ("interrupted", False)])
def test_a_worker_that_hangs_alone_is_named(crew: Crew, status: str, told: bool) -> None:
    crew.workflow(ID, health="healthy")
    agent = crew.agent(ID, "worker-1")
    turn = crew.turn(ID, agent, status, started_at=crew.at(minutes=20))
    about = {"workflow_id": ID, "agent_id": agent, "turn_id": turn}
    crew.event("health.stuck", {"silent_s": 301}, at=crew.now, **about)

    found = [one.text for one in _examine(crew) if one.check == "health"]
    assert [text.partition(",")[0] for text in found] == ["worker-1 gives no sign"] * told


def test_a_long_compile_is_no_problem(crew: Crew) -> None:
    crew.workflow(ID, health="healthy")
    task = crew.task(ID, "a", "in_progress", run="make -j8")
    crew.turn(ID, crew.agent(ID, "worker-1", task_id=task), started_at=crew.at(minutes=20))

    (found,) = _examine(crew)
    assert (found.check, found.level) == ("now", "ok")


def test_a_question_is_told_with_the_way_to_answer(crew: Crew) -> None:
    crew.workflow(ID, waiting_for_user=1)
    human = {"assignee": "human", "body": "approve deploy?", "started_at": crew.at(minutes=5)}
    crew.task(ID, "ok", "waiting_for_user", **human)

    (found,) = _examine(crew)
    assert found.level == "note"
    assert found.text.endswith(": approve deploy?")
    assert found.advice == f"perles approve {ID} ok, or perles deny {ID} ok -m WHY"


# A workflow that failed.


def test_a_crashed_coordinator_is_told_with_its_last_lines(crew: Crew, tmp_path: Path) -> None:
    crew.workflow(ID, "failed", reason="the coordinator failed 3 times in a row: exit code 1")
    err = tmp_path / "turn-1.err"
    err.write_text("starting\nno such model: \x1b[31mopus\x1b[0m\n")
    agent = crew.agent(ID, "coordinator", "failed")
    crew.turn(ID, agent, "failed", stderr_path=str(err), error="it crashed", exit_code=1)

    found = _only(_examine(crew), "coordinator")
    assert found.text == "the coordinator's turn 1 ended with: it crashed, exit code 1"
    assert found.lines[0] == "starting"


def test_recoveries_that_did_not_help_are_told(crew: Crew) -> None:
    crew.workflow(ID, "failed", reason="stuck: no progress for 900s, 2 recoveries tried")
    for action in ("nudge", "replace"):
        tried = {"action": action, "number": 1}
        crew.event("recovery.attempted", tried, at=crew.now, workflow_id=ID)
    crew.event("recovery.exhausted", {"recoveries": 2}, at=crew.now, workflow_id=ID)

    found = _only(_examine(crew), "recoveries")
    assert found.text == "it was stuck, and 2 recoveries did not help: nudge, replace"


@pytest.mark.parametrize(
    ("reason", "way"),
    [
        ("token budget exhausted", "perles set ID --token-budget N"),
        ("global cost budget exhausted", "raise resource_policy.token_budget or cost_budget"),
    ],
)
def test_a_used_up_budget_is_told_with_the_way_on(crew: Crew, reason: str, way: str) -> None:
    crew.workflow(ID, "failed", reason=reason, tokens_used=1200)

    (found,) = _examine(crew)
    assert (found.check, found.level) == ("budget", "problem")
    assert "1200 tokens" in found.text
    assert way in found.advice


def test_a_completed_workflow_is_fine(crew: Crew) -> None:
    crew.workflow(ID, "completed")

    assert _examine(crew, engine=False) == [Finding("state", "ok", "it is completed")]


# False alarms.


def _row(crew: Crew, minutes: float, type: str, *, sign: bool = False) -> dict[str, Any]:
    at = crew.at(minutes=-minutes)
    return {"type": type, "created_at": at, "is_beat": sign, "is_progress": sign}


def test_a_silence_that_ended_by_itself_is_measured(crew: Crew) -> None:
    seen = alarms.observe(
        [
            _row(crew, 0, "worker.output", sign=True),
            _row(crew, 5, "health.stuck"),
            _row(crew, 7, "worker.output", sign=True),
        ]
    )
    assert (seen.progress, seen.stuck) == (420, 1)


@pytest.mark.parametrize(
    "between", ["workflow.paused", "recovery.attempted", "agent.rate_limited", "turn.interrupted"]
)
def test_a_silence_that_means_nothing_is_not(crew: Crew, between: str) -> None:
    rows = [("worker.output", True), (between, False), ("worker.output", True)]
    seen = alarms.observe([_row(crew, n, kind, sign=sign) for n, (kind, sign) in enumerate(rows)])

    assert seen.progress == 0


def test_a_false_alarm_names_the_setting_and_its_value(crew: Crew) -> None:
    crew.workflow(ID)
    agent = crew.agent(ID, "worker-1", "ready")
    for minutes, type in ((30, "worker.output"), (25, "health.stuck"), (22, "worker.output")):
        about = {"workflow_id": ID, "agent_id": None if type == "health.stuck" else agent}
        crew.event(type, {}, at=crew.now - timedelta(minutes=minutes), **about)

    found = _only(_examine(crew), "false alarm")
    assert "its longest silence was 8m, progress_timeout is 5m" in found.text
    assert found.advice.endswith("health_policy.progress_timeout: 16m")
    patient = Config(health_policy=HealthPolicy(progress_timeout=3600))
    assert "false alarm" not in {one.check for one in _examine(crew, config=patient)}


# The machine.


def test_an_unsafe_sqlite_is_a_problem() -> None:
    assert database.sqlite("3.45.1", is_safe=False).level == "problem"
    assert database.sqlite("3.51.3", is_safe=True).level == "ok"


def test_a_cli_that_does_not_answer_is_a_problem(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(executable, "VERSION_SECONDS", 0.2)
    silent = tmp_path / "claude"
    silent.write_text("#!/bin/sh\nexec sleep 60\n")
    silent.chmod(0o700)
    environ = {**os.environ, "PATH": f"{tmp_path}:/usr/bin:/bin"}
    around = machine.Surroundings(Paths(tmp_path), environ, Config())

    found = _only(list(agents.check(around)), "agent claude")
    assert found.level == "problem"
    assert f"{silent} does not answer --version" in found.text


def test_a_missing_cli_is_a_problem_only_where_the_configuration_wants_it() -> None:
    missing = {"name": "codex", "path": None, "version": None, "problem": "cannot find codex"}

    assert agents.judge(missing, is_wanted=False).level == "note"
    assert agents.judge(missing, is_wanted=True).level == "problem"


def test_a_stranger_on_a_port_of_the_range_is_named() -> None:
    found = {9001: Holder(7, "nginx"), 9002: Holder(5, "python"), 80: Holder(8, "httpd")}

    shown = ports.judge(range(9000, 9004), found, engine=5)
    assert shown.level == "note"
    assert "2 free, 1 served by the engine, 1 held by others: 9001 by nginx (pid 7)" in shown.text
    assert ports.judge(range(9001, 9002), found, engine=5).level == "problem"


def test_who_listens_is_seen() -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        found = ports.listening()

        assert found[server.getsockname()[1]].pid == os.getpid()


def test_a_wrong_configuration_is_a_finding(home: Home) -> None:
    folder = home.work / ".perles"
    folder.mkdir()
    (folder / "config.yaml").write_text("orchestration:\n  cotnrol_plane: {}\n")

    done = home.perles("doctor")

    assert done.returncode == 1
    assert re.search(r"^PROBLEM configuration: .*config.yaml:2", done.stdout, re.MULTILINE)
    assert "ok      sqlite" in done.stdout


def test_doctor_as_json_is_documented(home: Home) -> None:
    documented = (Path(__file__).parents[2] / "docs" / "json.md").read_text()
    id = home.perles("create", home.pipeline("p", [{"key": "a", "run": "true"}])).stdout.strip()

    found = home.json("doctor", "--json") + home.json("doctor", id, "--json")

    assert {"python", "sqlite", "ports", "pending"} <= {one["check"] for one in found}
    assert all(f"`{key}`" in documented for one in found for key in one)
    assert home.perles("doctor", "wf-nothere").returncode == 3


def test_the_range_of_ports_is_the_configured_one(tmp_path: Path) -> None:
    policy = ResourcePolicy(port_range_start=9500, port_range_end=9501)
    around = machine.Surroundings(Paths(tmp_path), {}, Config(resource_policy=policy))

    (found,) = ports.check(around)
    assert found.text.startswith("9500-9501: ")
