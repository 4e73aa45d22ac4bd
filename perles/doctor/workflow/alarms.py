"""False alarms: it was called degraded or stuck, and went on by itself. What to set instead."""

import math
from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any, Final, NamedTuple

from perles.doctor.finding import NOTE, Finding
from perles.doctor.workflow.case import Case
from perles.domain.clock import from_text
from perles.domain.duration import format_duration
from perles.engine.health.queries import SIGNALS

_PREFIX: Final = "orchestration.control_plane.health_policy"
_MEANS_NOTHING: Final = frozenset(
    {
        "workflow.paused",
        "task.waiting_for_user",
        "question.asked",
        "agent.rate_limited",
        "agent.offline",
        "turn.queued",
    }
)
"""Events after which silence is no sign of anything."""
_HELPED: Final = frozenset({"recovery.attempted", "coordinator.replaced", "turn.interrupted"})
"""Events after which what goes on did not go on by itself."""


class Observed(NamedTuple):
    """The longest silences that ended by themselves, in seconds, and how often each was told."""

    beat: float = 0.0
    progress: float = 0.0
    degraded: int = 0
    stuck: int = 0


def check(case: Case) -> Iterator[Finding]:
    """Timeouts that are shorter than what this workflow does all the time."""
    query, values = SIGNALS.bind({"workflow_id": case.id})
    seen = observe(case.connection.execute(query, values))
    policy = case.config.health_policy
    yield from judge("heartbeat_timeout", "degraded", seen.degraded, seen.beat, policy)
    yield from judge("progress_timeout", "stuck", seen.stuck, seen.progress, policy)


def judge(name: str, kind: str, told: int, gap: float, policy: Any) -> Iterator[Finding]:
    """What to set a timeout to: twice the longest silence that ended by itself."""
    timeout = getattr(policy, name)
    if not told or gap <= timeout:
        return
    times = "once" if told == 1 else f"{told} times"
    text = (
        f"it was called {kind} {times}, and went on by itself: its longest silence was "
        f"{format_duration(math.ceil(gap))}, {name} is {format_duration(timeout)}"
    )
    advice = f"set {_PREFIX}.{name}: {format_duration(round_up(2 * gap))}"
    yield Finding("false alarm", NOTE, text, advice)


def round_up(seconds: float) -> float:
    """To full minutes, below one minute to full seconds."""
    return math.ceil(seconds) if seconds <= 60 else math.ceil(seconds / 60) * 60.0


def observe(rows: Iterable[Any]) -> Observed:
    """The gaps between signs of life, those left out in which silence means nothing."""
    last: dict[str, datetime | None] = {"is_beat": None, "is_progress": None}
    longest = {"is_beat": 0.0, "is_progress": 0.0}
    told = {"health.degraded": 0, "health.stuck": 0}
    for row in rows:
        at = from_text(row["created_at"])
        if row["type"] in told:
            told[row["type"]] += 1
        for sign in last:
            if row["type"] in _HELPED:
                last[sign] = None
            elif row[sign]:
                since = last[sign]
                if since is not None:
                    longest[sign] = max(longest[sign], (at - since).total_seconds())
                last[sign] = at
            if row["type"] in _MEANS_NOTHING:
                last[sign] = None
    return Observed(
        longest["is_beat"], longest["is_progress"], told["health.degraded"], told["health.stuck"]
    )
