"""What an agent CLI's error means: which class, and when it makes sense to try again."""

import re
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from perles.domain.patterns import lazy_pattern

_PATTERNS: Final[tuple[tuple[str, str], ...]] = (
    # Each is compiled when it is looked for first: most processes never meet an error.
    (
        "unknown_session",
        r"no conversation found with session|session[^.\n]{0,60}not found"
        r"|no (?:saved |previous )?(?:session|rollout|thread)[^.\n]{0,40}(?:found|exists?)"
        r"|invalid session identifier|thread[^.\n]{0,60}not found",
    ),
    (
        "context_exhausted",
        r"prompt is too long|context[_ ]length[_ ]exceeded|maximum context length"
        r"|context (?:window|limit)[^.\n]{0,40}(?:exceed|reached|full|too)"
        r"|(?:exceed|ran out)[^.\n]{0,60}(?:context window|token limit|maximum number of tok)"
        r"|input token count[^.\n]{0,40}exceeds|input is too long",
    ),
    (
        "billing",
        r"credit balance is too low|\b402\b[^.\n]{0,20}payment|payment required"
        r"|billing[_ ](?:hard[_ ]limit|not active)|insufficient (?:credits?|balance|funds)",
    ),
    (
        "quota_exhausted",
        r"usage limit|hit your limit|limit reached[^.\n]{0,20}reset|quota will reset"
        r"|(?:exhausted|exceeded) your[^.\n]{0,40}(?:quota|capacity|daily)|insufficient_quota"
        r"|quota exceeded(?![^\n]{0,200}per[ _]?minute)",
    ),
    (
        "auth",
        r"\b401\b|unauthori[sz]ed|invalid (?:x-)?api[- ]?key|api key not valid|not logged in"
        r"|no api key found|login failed"
        r"|authentication[_ ]?(?:failed|error)|please (?:run )?/?login|expired token|\b403\b"
        r"|auth method|oauth token",
    ),
    ("overloaded", r"overloaded|\b529\b|\b503\b|service unavailable|server is busy"),
    (
        "rate_limited",
        r"\b429\b|rate[- _]?limit|too many requests|resource[_ ]exhausted|retry limit",
    ),
    (
        "offline",
        r"connection error|fetch failed|stream disconnected before completion"
        r"|error sending request for url|socket hang up|getaddrinfo"
        r"|network (?:error|is unreachable)"
        r"|\bE(?:CONNREFUSED|CONNRESET|NOTFOUND|TIMEDOUT|AI_AGAIN|NETUNREACH|HOSTUNREACH)\b"
        r"|(?:could(?:n't| not)|cannot|failed to|unable to) (?:resolve|connect)"
        r"(?! to (?:the )?mcp)"
        r"|connection (?:refused|reset|timed out|closed|aborted)|name resolution|dns error",
    ),
    (
        "invalid_request",
        r"invalid[_ ]request|model[^.\n]{0,60}(?:not found|not exist|not supported|unknown)"
        r"|unknown model|\b400\b|\b404\b|bad request",
    ),
)
_BEFORE_STATUS: Final = 4
"""Classes whose words say more than the HTTP status that comes with them."""
_STATUS: Final = {
    401: "auth",
    402: "billing",
    403: "auth",
    429: "rate_limited",
    529: "overloaded",
    503: "overloaded",
    500: "overloaded",
    502: "overloaded",
}

ADVICE: Final = {
    "claude": "log in with `claude` (then /login), or set ANTHROPIC_API_KEY",
    "codex": "log in with `codex login`, or set OPENAI_API_KEY",
    "gemini": "log in by starting `gemini` once, or set GEMINI_API_KEY",
    "opencode": "log in with `opencode auth login`, or set the key of its provider",
    "amp": "log in with `amp login`, or set AMP_API_KEY",
}

FARTHEST: Final = timedelta(days=40)
"""What is said to be over later than this is not believed."""
_UNITS: Final = {"d": 86400, "h": 3600, "m": 60, "s": 1}
_SPAN: Final = lazy_pattern(
    r"(?:in|after|retry in|reset after)\s+((?:\d+(?:\.\d+)?\s*"
    r"(?:days?|d|hours?|hrs?|h|minutes?|mins?|m|seconds?|secs?|s)\b[\s,]*(?:and\s+)?){1,4})",
    re.IGNORECASE,
)
_PART: Final = lazy_pattern(r"(\d+(?:\.\d+)?)\s*([dhms])", re.IGNORECASE)
_COMPACT: Final = lazy_pattern(r"(?:in|after)\s+((?:\d+(?:\.\d+)?[dhms]){1,4})\b", re.IGNORECASE)
_EPOCH: Final = lazy_pattern(r"\|\s*(\d{10})\b")
_ISO: Final = lazy_pattern(r"\b(\d{4}-\d\d-\d\dT\d\d:\d\d(?::\d\d)?(?:\.\d+)?(?:Z|[+-]\d\d:?\d\d))")
_MONTHS: Final = (
    "jan",
    "feb",
    "mar",
    "apr",
    "may",
    "jun",
    "jul",
    "aug",
    "sep",
    "oct",
    "nov",
    "dec",
)
_ON: Final = lazy_pattern(
    r"(?:resets?|try again)\s+(?:on\s+|at\s+)?([a-z]{3})[a-z]{0,6}\.?\s+(\d{1,2})(?:st|nd|rd|th)?\b"
    r"(?:,?\s+(\d{4}))?(?:,?\s*(?:at\s+)?(\d{1,2})(?::(\d\d))?\s*(am|pm)?)?\s*(?:\(([\w/+-]+)\))?",
    re.IGNORECASE,
)
_AT: Final = lazy_pattern(
    r"(?:resets?|try again)\s+(?:at\s+)?(\d{1,2})(?::(\d\d))?\s*(am|pm)?\s*(?:\(([\w/+-]+)\))?",
    re.IGNORECASE,
)


def classify(text: str, status: Any = None) -> str:
    """The error class of a message, with the HTTP status where the CLI told it."""
    said = text[:4000]
    for name, pattern in _PATTERNS[:_BEFORE_STATUS]:
        if re.search(pattern, said, re.IGNORECASE):
            return name
    if isinstance(status, int) and status in _STATUS:
        return _STATUS[status]
    for name, pattern in _PATTERNS[_BEFORE_STATUS:]:
        if re.search(pattern, said, re.IGNORECASE):
            return name
    return "invalid_request" if isinstance(status, int) and 400 <= status < 500 else "crashed"


def reset_time(text: str, now: datetime) -> datetime | None:
    """When a message says that it goes on; None where it does not say, or nonsense."""
    found = _stated(text[:4000], now)
    return None if found is None or found > now + FARTHEST else found


def _stated(said: str, now: datetime) -> datetime | None:
    found = _EPOCH.search(said)
    if found:
        return datetime.fromtimestamp(int(found.group(1)), UTC)
    found = _ISO.search(said)
    if found:
        try:
            return datetime.fromisoformat(found.group(1)).astimezone(UTC)
        except ValueError:
            return None
    found = _SPAN.search(said) or _COMPACT.search(said)
    if found:
        parts = _PART.findall(found.group(1))
        seconds = sum(float(number) * _UNITS[unit.lower()] for number, unit in parts)
        return now + timedelta(seconds=min(seconds, 1e9))
    found = _ON.search(said)
    if found:
        return _date(found, now)
    found = _AT.search(said)
    return None if found is None else _next_clock_time(found, now)


def _date(found: re.Match[str], now: datetime) -> datetime | None:
    """`Nov 28th, 2026 3:45 PM`, `Dec 1 at 5pm`: without a year, the next such day."""
    month, day, year, hour, minute, half, zone = found.groups()
    if month.lower() not in _MONTHS:
        return None
    at = _hour(int(hour or 0), half)
    local = now.astimezone(_zone(zone))
    try:
        said = local.replace(
            year=int(year or local.year),
            month=_MONTHS.index(month.lower()) + 1,
            day=int(day),
            hour=at,
            minute=int(minute or 0),
            second=0,
            microsecond=0,
        )
        if year is None and said <= local - timedelta(days=1):
            said = said.replace(year=local.year + 1)
    except ValueError:
        return None  # the 31st of February, or 25 o'clock
    return said.astimezone(UTC)


def _hour(hour: int, half: str | None) -> int:
    """The hour of the day; 99, which none is, for 13 pm."""
    if half is None:
        return hour
    return hour % 12 + (12 if half.lower() == "pm" else 0) if hour <= 12 else 99


def _zone(name: str | None) -> tzinfo | None:
    try:
        from zoneinfo import ZoneInfo

        return ZoneInfo(name) if name else datetime.now().astimezone().tzinfo
    except (KeyError, ValueError, OSError):
        return UTC


def _next_clock_time(found: re.Match[str], now: datetime) -> datetime | None:
    hour, minute, half = int(found.group(1)), int(found.group(2) or 0), found.group(3)
    if half is None and found.group(2) is None:
        return None  # a bare number is no time of day
    hour = _hour(hour, half)
    if hour > 23 or minute > 59:
        return None
    local = now.astimezone(_zone(found.group(4)))
    at = local.replace(hour=hour, minute=minute, second=0, microsecond=0)
    return (at if at > local else at + timedelta(days=1)).astimezone(UTC)


def advice(provider: str) -> str:
    """What a person does about a login that does not hold."""
    return ADVICE.get(provider, f"check the login or key of {provider}")
