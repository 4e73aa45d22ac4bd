"""Times as people write them: `1h` ago, a day, or a day with a time."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Final

from perles.domain.duration import parse_duration
from perles.domain.errors import UsageError
from perles.domain.patterns import lazy_pattern

_DAY: Final = lazy_pattern(r"\d{4}-\d\d-\d\d")


def parse_moment(text: str, now: datetime) -> datetime:
    """The time that a text means, in UTC: so long ago, or a date, in the zone of this machine.

    Raises `UsageError` that shows the right form.
    """
    if _DAY.match(text):
        try:
            return datetime.fromisoformat(text).astimezone(UTC)
        except (ValueError, OverflowError):
            pass  # told below, as any other text
    else:
        try:
            return now.astimezone(UTC) - timedelta(seconds=parse_duration(text))
        except (UsageError, OverflowError):
            pass  # told below
    raise UsageError(
        f"cannot read {text[:40]!r} as a time: write it like 1h, 2d, 2026-01-31 or 2026-01-31T10:00"
    )
