"""How far the quota of an account is used, as its CLI tells: by windows of some hours or days."""

from datetime import UTC, datetime
from typing import Any, Final

from perles.agents.clis.json_lines import count, get, text
from perles.agents.provider import AgentEvent, Kind
from perles.domain.clock import to_text

MAX_WINDOWS: Final = 8
NAMES: Final = {"five_hour": "5h", "seven_day": "7d"}
"""How the windows are called where they have a usual name."""


def windows(info: Any) -> list[AgentEvent]:
    """Each window with the share that is used and when it begins anew; [] where none is told."""
    told = get(info, "unifiedWindows")
    if not isinstance(told, dict):  # older versions tell only the narrowest one
        told = {text(get(info, "rateLimitType"), 50): info}
    found = [_window(name, value) for name, value in list(told.items())[:MAX_WINDOWS]]
    known = [window for window in found if window is not None]
    return [AgentEvent(Kind.LIMIT, "", {"windows": known})] if known else []


def _window(name: Any, value: Any) -> dict[str, Any] | None:
    called, used = text(name, 50), get(value, "utilization")
    if not called or isinstance(used, bool) or not isinstance(used, (int, float)):
        return None
    if not 0 <= used <= 100:
        return None
    return {"window": NAMES.get(called, called), "used": float(used), "resets_at": _time(value)}


def _time(value: Any) -> str | None:
    seconds = count(get(value, "resetsAt"))
    if not 0 < seconds < 2**32:
        return None
    return to_text(datetime.fromtimestamp(seconds, UTC))
