"""What signals mean, with a clock of the test's own: every case beside its opposite."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from perles.config.model import HealthPolicy
from perles.domain.states import WORKFLOW
from perles.engine.health.rules import Signals, judge, steps

NOW = datetime(2026, 1, 1, tzinfo=UTC)
REPORTS_ONLY = HealthPolicy(max_nudges=2)
WHOLE_LADDER = HealthPolicy(
    enable_auto_nudge=True, enable_auto_replace=True, enable_auto_pause=True, max_recoveries=9
)


def _ago(seconds: float) -> datetime:
    return NOW - timedelta(seconds=seconds)


def _kinds(policy: HealthPolicy = REPORTS_ONLY, **given: Any) -> list[str]:
    values = {"state": "running", "health": "healthy", "heartbeat": NOW, "progress": NOW}
    return [finding.kind for finding in judge(Signals(**{**values, **given}), policy, NOW)]


@pytest.mark.parametrize("policy", [REPORTS_ONLY, WHOLE_LADDER])
@pytest.mark.parametrize("health", ["unknown", "healthy", "degraded", "stuck"])
@pytest.mark.parametrize("waits", [None, "waiting for you"])
@pytest.mark.parametrize("silent", [0, 119, 120, 121, 299, 300, 301])
@pytest.mark.parametrize("state", WORKFLOW.states)
def test_every_cell(
    state: str, silent: int, waits: str | None, health: str, policy: HealthPolicy
) -> None:
    kinds = _kinds(
        policy,
        state=state,
        health=health,
        heartbeat=_ago(silent),
        progress=_ago(silent),
        waits_for=waits,
    )

    if state != "running" or waits:
        expected = []
    elif silent > 300:
        expected = ["stuck"] * (health != "stuck") + ["nudge"] * (policy is WHOLE_LADDER)
    elif silent > 120:
        expected = ["degraded"] * (health != "degraded")
    else:
        expected = ["recovered"] * (health in ("degraded", "stuck"))
    assert kinds == expected


def test_a_workflow_that_beats_and_does_not_progress_is_stuck() -> None:
    assert _kinds(heartbeat=NOW, progress=_ago(301)) == ["stuck"]


def test_the_ladder_goes_up_step_by_step_with_growing_pauses() -> None:
    stuck: dict[str, Any] = {"health": "stuck", "progress": _ago(3000)}
    taken = []
    for done in range(6):
        due = 120 * 2 ** (done - 1) if done else 0
        early = _kinds(WHOLE_LADDER, recoveries=done, last_recovery=_ago(due - 1), **stuck)
        assert early == [] or done == 0
        taken += _kinds(WHOLE_LADDER, recoveries=done, last_recovery=_ago(due), **stuck)

    assert taken == ["nudge", "nudge", "replace", "pause", "exhausted"]


def test_no_more_steps_are_taken_than_recoveries_are_allowed() -> None:
    policy = HealthPolicy(enable_auto_nudge=True, max_nudges=5, max_recoveries=2)

    assert steps(policy) == ["nudge", "nudge"]
    assert steps(REPORTS_ONLY) == []
