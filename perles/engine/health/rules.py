"""What a workflow's signals mean: pure, so that every case can be tested with a clock of one's own.

    healthy --no heartbeat--> degraded --no progress--> stuck --ladder--> exhausted
    degraded, stuck --it beats, it progresses--> healthy

The ladder of a stuck workflow: a number of nudges, replace the agent that hangs,
pause; as far as the policy allows each, with growing time between.
"""

from datetime import datetime, timedelta
from typing import NamedTuple

from perles.config.model import HealthPolicy
from perles.domain.records import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Signals:
    """What is known of one workflow. `waits_for` says why its silence means nothing."""

    state: str
    health: str
    heartbeat: datetime
    progress: datetime
    recoveries: int = 0
    last_recovery: datetime | None = None
    waits_for: str | None = None


class Finding(NamedTuple):
    """What is to be told or done: degraded, recovered, stuck, nudge, replace, pause, exhausted."""

    kind: str
    silent: float = 0.0
    number: int = 0


class Done(NamedTuple):
    """How many recovery steps were taken, and when the last one was."""

    recoveries: int = 0
    last: datetime | None = None


def steps(policy: HealthPolicy) -> list[str]:
    """The ladder that the policy allows, one recovery a step; [] where it only reports."""
    return _ladder(policy)[: policy.max_recoveries]


def worker_steps(policy: HealthPolicy) -> list[str]:
    """The ladder for one worker that is stuck while the others go on."""
    return [step for step in _ladder(policy) if step != "pause"][: policy.max_recoveries]


def _ladder(policy: HealthPolicy) -> list[str]:
    ladder = ["nudge"] * policy.max_nudges if policy.enable_auto_nudge else []
    ladder += ["replace"] if policy.enable_auto_replace else []
    return ladder + (["pause"] if policy.enable_auto_pause else [])


def judge(seen: Signals, policy: HealthPolicy, now: datetime) -> list[Finding]:
    """What follows from the signals now. Each finding comes once an episode."""
    if seen.state != "running" or seen.waits_for is not None:
        return []
    silent = (now - seen.progress).total_seconds()
    if silent > policy.progress_timeout:
        found = [] if seen.health == "stuck" else [Finding("stuck", silent)]
        done = Done(seen.recoveries, seen.last_recovery)
        return found + next_step(steps(policy), done, policy, now, silent)
    if (now - seen.heartbeat).total_seconds() > policy.heartbeat_timeout:
        if seen.health == "degraded":
            return []
        return [Finding("degraded", (now - seen.heartbeat).total_seconds())]
    return [Finding("recovered")] if seen.health in ("degraded", "stuck") else []


def next_step(
    ladder: list[str], done: Done, policy: HealthPolicy, now: datetime, silent: float
) -> list[Finding]:
    """The next step of the ladder, once it is due; at its end `exhausted`, once."""
    if not ladder or done.recoveries > len(ladder):
        return []
    if done.last is not None and done.recoveries:
        pause = policy.recovery_backoff * 2 ** (done.recoveries - 1)
        if now - done.last < timedelta(seconds=pause):
            return []
    if done.recoveries == len(ladder):
        return [Finding("exhausted", silent, done.recoveries)]
    return [Finding(ladder[done.recoveries], silent, done.recoveries + 1)]
