"""Health with real processes: what hangs is found and replaced, what works or waits is not."""

from typing import Any

import pytest

from tests.integration.cli import DEADLINE, Home

PREFIX = "PERLES_CONTROL_PLANE__HEALTH_POLICY__"


def _policy(home: Home, **values: str) -> None:
    given = {"heartbeat_timeout": "1s", "progress_timeout": "2s", "recovery_backoff": "1s"}
    home.environ |= {f"{PREFIX}{key.upper()}": text for key, text in {**given, **values}.items()}


def _kinds(home: Home, *globs: str) -> list[str]:
    args = [word for glob in globs for word in ("--type", glob)]
    return [event["type"] for event in home.events(*args)]


# How often and when exactly is tried with a clock by hand; here a slow machine may cause steps
# of its own, which help nobody and hurt nobody.
RECOVERS = {
    "enable_auto_nudge": "true",
    "max_nudges": "1",
    "enable_auto_replace": "true",
    "recovery_backoff": "2s",
    "on_exhausted": "alert",
}


def test_an_agent_that_hangs_is_found_nudged_and_replaced_and_the_workflow_completes(
    home: Home,
) -> None:
    _policy(home, **RECOVERS)
    tasks = [{"key": "a", "run": "test -e seen || { touch seen; sleep 64; }"}]

    result = home.perles("run", home.pipeline("hangs", tasks))

    assert result.returncode == 0, result.stderr
    attempts = [event["payload"]["action"] for event in home.events("--type", "recovery.attempted")]
    assert attempts[-2:] == ["nudge", "replace"]
    assert "health.stuck" in _kinds(home, "health.stuck")
    agents = home.json("show", "hangs", "--json")["agents"]
    assert "retired" in {agent["status"] for agent in agents if agent["name"] != "coordinator"}


def test_a_worker_that_hangs_alone_is_replaced_while_the_other_goes_on(home: Home) -> None:
    _policy(home, heartbeat_timeout="3s", progress_timeout="4s", **RECOVERS)
    hangs = "test -e seen && touch done || { touch seen; sleep 66; }"
    talks = "while ! test -e done; do echo on; sleep 0.1; done"
    tasks = [{"key": "hangs", "run": hangs}, {"key": "talks", "run": talks}]

    result = home.perles("run", home.pipeline("alone", tasks))

    assert result.returncode == 0, result.stderr
    states = {task["status"] for task in home.json("tasks", "alone", "--json")}
    assert states == {"done"}
    everything = home.json("inbox", "--all", "--json")
    notes = [note for note in everything if note["task"] == "hangs"]
    assert all(note["over"] for note in notes)
    assert " gives no sign for " in notes[-1]["text"]
    hung = notes[-1]["text"].partition(" ")[0]
    payloads = [event["payload"] for event in home.events("--type", "recovery.attempted")]
    steps = [payload["action"] for payload in payloads if payload.get("agent") == hung]
    assert steps == ["nudge", "replace"]


@pytest.mark.parametrize("action", ["fail", "pause"])
def test_a_workflow_that_no_recovery_helps_ends_as_the_policy_says(home: Home, action: str) -> None:
    _policy(home, enable_auto_nudge="true", max_nudges="1", on_exhausted=action)
    home.perles("create", home.pipeline("dead", [{"key": "a", "run": "sleep 65"}]))
    engine = home.popen("serve")

    home.perles("start", "dead")

    def state() -> Any:
        return (
            home.json("show", "dead", "--json")["state"]
            == f"{action}{'ed' if action == 'fail' else 'd'}"
        )

    home.wait_for(action, state)
    assert "recovery.exhausted" in _kinds(home, "recovery.*")
    assert "stuck: no progress" in home.json("show", "dead", "--json")["reason"]
    engine.terminate()
    engine.communicate(timeout=DEADLINE)


def test_a_long_command_that_uses_the_processor_is_not_stuck(home: Home) -> None:
    _policy(home)
    busy = "end=$(($(date +%s) + 5)); while [ $(date +%s) -lt $end ]; do :; done"

    result = home.perles("run", home.pipeline("busy", [{"key": "a", "run": busy}]))

    assert result.returncode == 0, result.stderr
    told = _kinds(home, "worker.ready", "health.stuck", "task.reported")
    assert told[-2:] == ["worker.ready", "task.reported"]
