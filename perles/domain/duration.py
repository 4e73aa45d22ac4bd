"""Durations as people write them: `90s`, `2m`, `1h30m`, `500ms`."""

import re
from typing import Final

from perles.domain.errors import UsageError

_UNITS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
GRACE: Final = 10.0
"""Seconds between TERM and KILL for the agents of a workflow, where nobody says otherwise."""
LONGEST: Final = 36500 * 86400.0
"""A hundred years: what is far enough from where dates and numbers end."""
_PART: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)", re.ASCII)


def parse_duration(text: str) -> float:
    """Seconds. Raises `UsageError` that shows the right form."""
    parts = _PART.findall(text)
    if not parts or "".join(number + unit for number, unit in parts) != text:
        raise UsageError(f"{text!r} is not a duration; write it like 90s, 2m or 1h30m")
    units = [unit for _, unit in parts]
    if len(set(units)) < len(units):
        raise UsageError(f"{text!r} names a unit twice; write it like 90s, 2m or 1h30m")
    seconds = sum(float(number) * _UNITS[unit] for number, unit in parts)
    if seconds > LONGEST:
        raise UsageError(f"{text[:40]!r} is too long; the longest is {format_duration(LONGEST)}")
    return seconds


def format_duration(seconds: float) -> str:
    """The shortest text that `parse_duration` reads as `seconds`, to the millisecond."""
    rest = round(seconds * 1000)
    parts = []
    for unit, size in (("d", 86_400_000), ("h", 3_600_000), ("m", 60_000), ("s", 1000), ("ms", 1)):
        count, rest = divmod(rest, size)
        if count:
            parts.append(f"{count}{unit}")
    return "".join(parts) or "0s"
