"""Durations as people write them: `90s`, `2m`, `1h30m`, `500ms`."""

import re
from typing import Final

from perles.domain.errors import UsageError
from perles.domain.patterns import lazy_pattern

_UNITS: Final = {"d": 86400.0, "h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001}
GRACE: Final = 10.0
"""Seconds between TERM and KILL for the agents of a workflow, where nobody says otherwise."""
LONGEST: Final = 36500 * 86400.0
"""A hundred years: what is far enough from where dates and numbers end."""
_PART: Final = lazy_pattern(r"(\d+(?:\.\d+)?)(ms|d|h|m|s)", re.ASCII)


def is_seconds(value: object) -> bool:
    """Whether a program gave a number of seconds: True and False, and NaN, are none."""
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and value == value  # NaN is unlike itself


def parse_duration(text: str, *, bare_seconds: bool = False) -> float:
    """Seconds. Raises `UsageError` that shows the right form.

    With `bare_seconds`, as options of the command line have it, a number without a unit counts
    seconds.
    """
    if bare_seconds and text.isascii() and text.replace(".", "", 1).isdecimal():
        text = f"{text.removesuffix('.')}s"
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


def span(seconds: float | None) -> str:
    """How long something took or is ago, for people: `59s`, `3m12s`, `4h05m`, `2d03h`.

    `-` for None. It is cut, not rounded, and never negative: a clock may have been set back.
    """
    if seconds is None:
        return "-"
    whole = max(0, int(seconds))
    if whole < 60:
        return f"{whole}s"
    if whole < 3600:
        return f"{whole // 60}m{whole % 60:02}s"
    if whole < 86400:
        return f"{whole // 3600}h{whole // 60 % 60:02}m"
    return f"{whole // 86400}d{whole // 3600 % 24:02}h"


def short_span(seconds: float | None) -> str:
    """`span` in at most five columns, for tables: `59s`, `12m`, `3h04`, `2d05h`, `120d`."""
    text = span(seconds)
    if "h" in text and "d" not in text:
        return text.removesuffix("m")
    if "d" in text and len(text) > 5:
        return text.partition("d")[0] + "d"
    return text.partition("m")[0] + "m" if "m" in text else text
