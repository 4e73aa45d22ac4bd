"""The one clock. Time is UTC, and all code that needs it is given a `Clock`: tests never sleep."""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


def since_boot() -> float:
    """Seconds since the machine started, those asleep among them."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


class Clock(Protocol):
    """Tells the time."""

    def now(self) -> datetime:
        """The time now, with time zone UTC."""
        ...

    def elapsed(self) -> float:
        """Seconds since some moment, whatever the clock is set to meanwhile."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now(self) -> datetime:
        """The time now, with time zone UTC."""
        return datetime.now(UTC)

    def elapsed(self) -> float:
        """Seconds since the machine started, those asleep among them."""
        return since_boot()


class ManualClock:
    """A clock that stands still until a test moves it; for tests and simulations."""

    def __init__(self, start: datetime = datetime(2026, 1, 1, tzinfo=UTC)) -> None:
        self._now = start
        self._elapsed = 0.0

    def now(self) -> datetime:
        """The time that was set."""
        return self._now

    def advance(self, seconds: float) -> None:
        """Move on by `seconds`."""
        self._now += timedelta(seconds=seconds)
        self._elapsed += seconds

    def elapsed(self) -> float:
        """Seconds that it was moved on by."""
        return self._elapsed

    def set_ahead(self, seconds: float) -> None:
        """Somebody sets the clock ahead, or back by a negative number; no time passes."""
        self._now += timedelta(seconds=seconds)


def offset(clock: Clock) -> float:
    """What a clock shows less the time that has passed: it changes when the clock is set."""
    return clock.now().timestamp() - clock.elapsed()


def to_text(moment: datetime) -> str:
    """`2026-01-31T10:22:14.123Z`: the form of every time in the database."""
    return moment.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def seconds_between(start: str, end: str) -> float:
    """Seconds from one stored time to another; 0 where the clock was set back between them."""
    return max(0.0, (from_text(end) - from_text(start)).total_seconds())


def from_text(text: str) -> datetime:
    """The moment that `to_text` wrote."""
    return datetime.fromisoformat(text)
