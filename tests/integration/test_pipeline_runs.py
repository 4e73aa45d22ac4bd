"""A pipeline runs from its file to its end, through real processes."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from perles.executor.local.processes import family
from perles.store.reads.connection import reading
from tests.integration.cli import DEADLINE, Home

pytestmark = pytest.mark.measured

SLEEPER: list[dict[str, Any]] = [{"key": "a", "run": "echo begun; sleep 61"}]


def _tasks(home: Home, ref: str) -> dict[str, dict[str, Any]]:
    return {task["key"]: task for task in home.json("show", ref, "--json")["tasks"]}


def _begun(home: Home, ref: str) -> None:
    home.wait_for("the task's command", lambda: "begun" in home.perles("logs", ref).stdout)


def _nothing_is_left(home: Home, id: str) -> None:
    assert family([f"PERLES_WORKFLOW={id}"]) == []
    shown = home.json("show", id, "--json")
    assert all(agent["pid"] is None for agent in shown["agents"])


def _asked_to_pause(home: Home) -> bool:
    with reading(home.database) as connection:
        assert connection is not None
        query = "SELECT EXISTS (SELECT 1 FROM commands WHERE kind = 'pause')"
        return bool(connection.execute(query).fetchone()[0])


def test_a_pipeline_whose_tasks_succeed_completes(home: Home) -> None:
    file = home.pipeline(
        "one", [{"key": "a", "run": "echo hi"}, {"key": "b", "run": "true", "after": ["a"]}]
    )

    result = home.perles("run", file)

    assert result.returncode == 0, result.stderr
    (shown,) = home.json("list", "--json")
    assert (shown["state"], shown["tasks"]) == ("completed", {"total": 2, "done": 2, "failed": 0})
    assert "task.completed" in result.stdout
    _nothing_is_left(home, shown["id"])


def test_a_failed_task_fails_the_workflow_after_its_retries_and_skips_its_dependents(
    home: Home,
) -> None:
    tasks: list[dict[str, Any]] = [
        {"key": "bad", "run": "echo last words; exit 3", "retries": 1},
        {"key": "after-bad", "run": "true", "after": ["bad"]},
        {"key": "after-that", "run": "true", "after": ["after-bad"]},
        {"key": "other", "run": "sleep 0.5"},
        {"key": "after-other", "run": "true", "after": ["other"]},
    ]

    result = home.perles("run", home.pipeline("two", tasks))

    assert result.returncode == 1
    by_key = _tasks(home, "two")
    assert {key: task["status"] for key, task in by_key.items()} == {
        "bad": "failed",
        "after-bad": "skipped",
        "after-that": "skipped",
        "other": "done",
        "after-other": "done",
    }
    assert (by_key["bad"]["attempt"], by_key["bad"]["exit_code"]) == (2, 3)
    assert by_key["bad"]["output_tail"] == ["last words"]
    assert "last words" in home.perles("show", "two").stdout
    assert "last words" in result.stdout


def test_tasks_run_in_the_order_of_their_dependencies_and_together_where_they_can(
    home: Home,
) -> None:
    meets = "touch {0}; while [ ! -e {1} ]; do sleep 0.05; done; echo {0} >> log"
    tasks: list[dict[str, Any]] = [
        {"key": "a", "run": "echo a >> log"},
        {"key": "b", "run": meets.format("b", "c"), "after": ["a"]},
        {"key": "c", "run": meets.format("c", "b"), "after": ["a"]},
        {"key": "d", "run": "echo d >> log", "after": ["b", "c"]},
    ]

    assert home.perles("run", home.pipeline("dag", tasks, workers=2)).returncode == 0

    order = (home.work / "log").read_text().split()
    assert (order[0], set(order[1:3]), order[3]) == ("a", {"b", "c"}, "d")


def test_a_task_succeeds_on_its_retry(home: Home) -> None:
    tasks = [{"key": "a", "run": "test -e seen || { touch seen; exit 1; }", "retries": 2}]

    assert home.perles("run", home.pipeline("again", tasks)).returncode == 0

    task = _tasks(home, "again")["a"]
    assert (task["attempt"], task["exit_code"], task["status"]) == (2, 0, "done")


def test_a_task_that_takes_too_long_is_ended_with_all_it_started(home: Home) -> None:
    tasks = [{"key": "a", "run": "trap '' TERM; sleep 62 & sleep 63; wait", "timeout": "1s"}]

    assert home.perles("run", home.pipeline("slow", tasks)).returncode == 1

    task = _tasks(home, "slow")["a"]
    assert (task["exit_code"], task["status"]) == (124, "failed")
    assert "timed out after 1s" in home.perles("events", "slow").stdout
    _nothing_is_left(home, home.only())


def test_commands_get_their_environment_work_dir_and_no_token(home: Home) -> None:
    run = "pwd > out; echo $A $B >> out; env | grep -c PERLES_MCP_TOKEN >> out || true"
    tasks = [{"key": "a", "run": run, "env": {"B": "two words"}}]
    other = home.work / "elsewhere"
    other.mkdir()

    result = home.perles(
        "run", home.pipeline("env", tasks, env={"A": "1", "B": "x"}), "--work-dir", other
    )

    assert result.returncode == 0
    assert (other / "out").read_text().splitlines() == [str(other), "1 two words", "0"]


def test_a_process_that_a_task_leaves_in_the_background_is_gone_when_the_workflow_ends(
    home: Home,
) -> None:
    tasks = [{"key": "a", "run": "setsid sleep 64 & sleep 0.2"}]

    assert home.perles("run", home.pipeline("stray", tasks)).returncode == 0

    _nothing_is_left(home, home.only())


def test_what_the_file_said_at_creation_holds(home: Home) -> None:
    file = home.pipeline("kept", [{"key": "a", "run": "echo first > said"}])
    id = home.perles("create", file).stdout.strip()
    home.pipeline("kept", [{"key": "a", "run": "echo second > said"}])

    assert home.perles("run", id).returncode == 0

    assert (home.work / "said").read_text() == "first\n"


def test_run_as_json_prints_events_and_ends_with_the_outcome(home: Home) -> None:
    result = home.perles("run", home.pipeline("j", [{"key": "a", "run": "true"}]), "--json")

    lines = [json.loads(line) for line in result.stdout.splitlines()]
    assert lines[-1] == {"id": home.only(), "state": "completed", "exit_code": 0}
    assert lines[0]["type"] == "workflow.started" or lines[0]["seq"] >= 1


def test_two_runs_side_by_side_share_one_engine(home: Home) -> None:
    def meets(own: str, other: str) -> list[dict[str, Any]]:
        run = f"touch {own}; until test -e {other}; do sleep 0.05; done"
        return [{"key": "a", "run": run, "timeout": "30s"}]

    first = home.popen("run", home.pipeline("x", meets("x-runs", "y-runs")))
    second = home.popen("run", home.pipeline("y", meets("y-runs", "x-runs")))

    for run in (first, second):
        _, told = run.communicate(timeout=DEADLINE)
        assert run.returncode == 0, told
    assert len(home.events("--type", "engine.started")) == 1
    home.wait_for_no_engine()


def test_ctrl_c_pauses_a_run_with_its_own_engine_and_it_can_go_on(home: Home) -> None:
    tasks = [{"key": "a", "run": "echo begun; test -e go || sleep 61"}]
    run = home.popen("run", home.pipeline("p", tasks))
    _begun(home, "p")

    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=DEADLINE)

    id = home.only()
    assert run.returncode == 130
    assert f"perles run {id}" in told
    assert home.json("show", id, "--json")["state"] == "paused"
    _nothing_is_left(home, id)
    (home.work / "go").touch()
    assert home.perles("run", id).returncode == 0
    assert _tasks(home, id)["a"]["attempt"] == 1  # it was cut off, it did not fail


def test_a_second_ctrl_c_kills(home: Home) -> None:
    tasks = [{"key": "a", "run": "trap '' TERM INT; echo begun; sleep 61; sleep 61"}]
    run = home.popen("run", home.pipeline("p", tasks))
    _begun(home, "p")

    run.send_signal(signal.SIGINT)
    home.wait_for("the pause", lambda: _asked_to_pause(home))
    run.send_signal(signal.SIGINT)
    run.communicate(timeout=DEADLINE)

    assert run.returncode == 130
    (stopped,) = home.events("--type", "turn.interrupted", "p")
    # None where its launcher was killed first. By itself it would have ended as by TERM.
    assert stopped["payload"]["exit_code"] in (None, -signal.SIGKILL)
    assert home.json("show", "p", "--json")["state"] == "stopped"
    _nothing_is_left(home, home.only())


def test_ctrl_c_with_anothers_engine_only_stops_following(home: Home) -> None:
    home.perles("serve", "--detach")
    run = home.popen("run", home.pipeline("p", SLEEPER))
    _begun(home, "p")

    run.send_signal(signal.SIGINT)
    _, told = run.communicate(timeout=DEADLINE)

    assert run.returncode == 130
    assert "goes on" in told
    assert home.json("show", "p", "--json")["state"] == "running"


def test_a_run_whose_process_is_killed_loses_nothing(home: Home) -> None:
    run = home.popen("run", home.pipeline("p", [{"key": "a", "run": "echo begun; sleep 1.5"}]))
    _begun(home, "p")

    run.kill()
    run.communicate()

    home.wait_for("its end", lambda: home.json("show", "p", "--json")["state"] == "completed")


def test_stopping_with_an_engine_leaves_nothing(home: Home) -> None:
    home.perles("serve", "--detach")
    id = home.perles("create", home.pipeline("p", SLEEPER)).stdout.strip()
    assert home.perles("start", id).stdout == f"started {id}\n"
    _begun(home, id)

    result = home.perles("stop", id, "--reason", "enough")

    assert (result.returncode, result.stdout) == (0, f"stopped {id}\n")
    shown = home.json("show", id, "--json")
    assert (shown["state"], shown["reason"]) == ("stopped", "enough")
    _nothing_is_left(home, id)


def test_stop_and_pause_need_no_engine(home: Home) -> None:
    file = home.pipeline("p", SLEEPER)
    id = home.perles("create", file).stdout.strip()

    result = home.perles("stop", id)

    assert (result.returncode, result.stdout) == (0, f"stopped {id}\n")
    assert home.engine_pid() is None


def test_start_without_an_engine_is_queued_and_says_so(home: Home) -> None:
    id = home.perles("create", home.pipeline("p", [{"key": "a", "run": "true"}])).stdout.strip()

    result = home.perles("start", id)

    assert result.returncode == 0
    assert "perles serve" in result.stdout
    home.perles("serve", "--exit-when-idle")
    assert home.json("show", id, "--json")["state"] == "completed"


def test_beyond_the_limit_a_workflow_waits_and_starts_by_itself(home: Home) -> None:
    home.environ["PERLES_CONTROL_PLANE__RESOURCE_POLICY__MAX_WORKFLOWS_RUNNING"] = "1"
    home.perles("serve", "--detach")
    wait = "while [ ! -e enough ]; do sleep 0.1; done"
    file = home.pipeline("p", [{"key": "a", "run": wait}])
    ids = [home.perles("create", file, "--name", name).stdout.strip() for name in "ab"]

    started = home.perles("start", *ids)

    assert "waiting: 1 of 1 workflows run" in started.stdout
    states = {row["name"]: row["state"] for row in home.json("list", "--json")}
    assert states == {"a": "running", "b": "pending"}
    (home.work / "enough").touch()
    home.wait_for(
        "both", lambda: {row["state"] for row in home.json("list", "--json")} == {"completed"}
    )


def test_a_second_engine_is_refused_and_told_of_the_first(home: Home) -> None:
    home.perles("serve", "--detach")
    pid = home.wait_for_engine()

    result = home.perles("serve")

    assert result.returncode == 4
    assert str(pid) in result.stderr


def test_an_engine_that_is_stopped_pauses_what_runs(home: Home) -> None:
    home.perles("serve", "--detach")
    id = home.perles("create", home.pipeline("p", SLEEPER)).stdout.strip()
    home.perles("start", id)
    _begun(home, id)

    assert home.perles("engine", "stop").returncode == 0

    assert home.json("show", id, "--json")["state"] == "paused"
    _nothing_is_left(home, id)


def test_a_work_dir_that_is_gone_fails_the_start_with_the_reason(home: Home) -> None:
    gone = home.work / "gone"
    gone.mkdir()
    file = home.pipeline("p", [{"key": "a", "run": "true"}])
    home.perles("create", file, "--work-dir", gone)
    gone.rmdir()

    result = home.perles("run", home.only())

    assert result.returncode == 1
    assert "its work dir is gone" in home.json("show", "p", "--json")["reason"]


def test_builtin_agents_import_nothing_heavy() -> None:
    main = Path(__file__).resolve().parents[2] / "perles" / "agents" / "builtin" / "main.py"
    script = (
        "import sys; sys.path.insert(0, sys.argv[1])\n"
        "import perles.agents.builtin.coordinator\n"
        "heavy = ['typing', 'asyncio', 'pathlib', 'subprocess', 'http', 'sqlalchemy', 'msgspec',"
        " 'perles.domain', 'perles.store', 'perles.engine', 'logging', 'dataclasses',"
        " 'json', 're', 'enum', 'socket', 'signal']\n"
        "assert not [name for name in heavy if name in sys.modules]"
    )

    subprocess.run(
        [sys.executable, "-I", "-S", "-c", script, str(main.parents[3])], check=True, timeout=20
    )


def test_an_agent_outwaits_an_engine_that_is_away(home: Home) -> None:
    tasks = [{"key": "a", "run": "echo begun; until test -e go; do sleep 0.1; done; touch gone"}]
    home.perles("serve", "--detach")
    id = home.perles("create", home.pipeline("p", tasks)).stdout.strip()
    home.perles("start", id)
    _begun(home, id)

    home.kill_engine()
    (home.work / "go").touch()
    home.wait_for("the command's end", (home.work / "gone").exists)  # its report finds nobody
    home.perles("serve", "--exit-when-idle")

    shown = home.json("show", id, "--json")
    assert (shown["state"], shown["tasks"][0]["attempt"]) == ("completed", 1)
