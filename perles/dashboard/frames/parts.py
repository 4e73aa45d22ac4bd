"""Small parts that several frames share: states, bars, ages, footers."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from perles.dashboard.model.key_help import Binding
from perles.dashboard.terminal.segments import MAX_MEASURED, Line, Segment, columns_of, fit, line
from perles.domain.duration import short_span
from perles.domain.explanations import why
from perles.domain.money import in_cell
from perles.domain.text import clean, cut, width

if TYPE_CHECKING:
    from perles.controlplane.held_reads import Wait

GLYPHS: Final = {
    "pending": "○",
    "running": "●",
    "paused": "◐",
    "completed": "✓",
    "failed": "✗",
    "stopped": "■",
}
"""A shape for each state, so that it reads without colour."""
TASK_GLYPHS: Final = {
    "done": ("✓", "good"),
    "failed": ("✗", "bad"),
    "skipped": ("–", "muted"),
    "in_progress": ("●", "state.running"),
    "in_review": ("◐", "warn"),
    "denied": ("✗", "warn"),
    "approved": ("◕", "good"),
    "committing": ("◕", "good"),
    "waiting_for_user": ("?", "warn"),
    "ready": ("○", ""),
    "pending": ("○", "muted"),
}
AGENT_GLYPHS: Final = {
    "working": ("●", "state.running"),
    "ready": ("○", "good"),
    "paused": ("◐", "state.paused"),
    "failed": ("✗", "bad"),
    "stopped": ("■", "state.stopped"),
    "retired": ("–", "muted"),
    "pending": ("○", "muted"),
}

_LEAST_DOING: Final = 20
"""Columns that what is done needs behind what is asked."""


@lru_cache(maxsize=4096)
def moment(text: str) -> float:
    """A stored time in seconds; 0 for one that is none."""
    try:
        return datetime.fromisoformat(text).timestamp()
    except ValueError:
        return 0.0


def clock(text: str | None) -> str:
    """The time of day of a stored time, in this place."""
    return datetime.fromtimestamp(moment(text)).strftime("%H:%M:%S") if text else ""


@lru_cache(maxsize=1024)
def day_and_time(text: str | None) -> str:
    """Month, day and time of a stored time, in this place."""
    return datetime.fromtimestamp(moment(text)).strftime("%m-%d %H:%M") if text else "-"


def short_number(count: int) -> str:
    """`950`, `12k`, `3.4M`: at most five columns."""
    if count < 1000:
        return str(count)
    if count < 10_000:
        return f"{count / 1000:.1f}k"
    if count < 1_000_000:
        return f"{count // 1000}k"
    return f"{count / 1_000_000:.1f}M" if count < 1_000_000_000 else f"{count // 1_000_000_000}G"


def cost(dollars: float, tokens: int = 0) -> str:
    """An amount in dollars; a dash for none, `?` where nobody told what the tokens cost."""
    return in_cell(dollars, tokens, "$")


def bar(done: int, total: int, columns: int, *, full: str = "█", empty: str = "░") -> str:
    """A bar of `columns` cells; full only when all is done, empty only when nothing is."""
    if total <= 0:
        return " " * columns
    filled = min(columns, max(0, done * columns // total))
    if done and not filled:
        filled = 1
    return full * filled + empty * (columns - filled)


def uptime(row: Mapping[str, Any], now: float) -> float | None:
    """Seconds that a workflow ran; a pause and the end stop the clock."""
    if row["started_at"] is None:
        return None
    end = row["paused_at"] or row["ended_at"]
    ran = (moment(end) if end else now) - moment(row["started_at"])
    return max(0.0, ran - float(row["paused_s"]))


def note_of(row: Mapping[str, Any], now: float, columns: int) -> tuple[str, str]:
    """What a workflow does, waits for or ended with, and in which style."""
    attention = row["attention"]
    if attention == "waiting for you":
        text = f"for you: {row['asked']}" if row.get("asked") else "waits for you"
        rest = columns - width(clean(text[:MAX_MEASURED])) - 2
        doing = doing_of(row.get("doing", ()), now, rest) if rest >= _LEAST_DOING else ""
        return f"{text}; {doing}" if doing else text, "warn"
    if attention in ("stuck", "degraded"):
        doing = doing_of(row.get("doing", ()), now, columns - width(attention) - 2)
        text = f"{attention}; {doing}" if doing else str(attention)
        return text, "bad" if attention == "stuck" else "warn"
    if row["state"] == "failed":
        return str(row["reason"] or "failed"), "bad"
    if row["state"] == "running":
        return doing_of(row.get("doing", ()), now, columns), "muted"
    if row["state"] == "pending" and row["start_requested_at"] is None:
        return "not started", "muted"
    standing = _standing(row, columns)
    return standing or ("waits to start" if row["state"] == "pending" else ""), "muted"


def _standing(row: Mapping[str, Any], columns: int) -> str:
    """Why it stands where it stands; the place in line is in sight where the reason is too long."""
    place = row.get("queue_place")
    reason = clean(str(row["reason"] or "")[:MAX_MEASURED])
    said = why({"reason": reason, "queue_place": place})
    if place is None or width(said) <= columns:
        return said
    end = why({"reason": "", "queue_place": place}).removeprefix("waiting")
    return cut(reason, max(4, columns - width(end))) + end


def doing_of(doing: tuple[Wait, ...], now: float, columns: int) -> str:
    """`worker-1: pytest -q, 6m (+2)`: where it is too long, its end stays readable."""
    return _doing_of(doing, int(now), columns) if doing else ""


@lru_cache(maxsize=512)
def _doing_of(doing: tuple[Wait, ...], now: int, columns: int) -> str:
    first = doing[0]
    end = "" if first.since is None else f", {short_span(now - moment(first.since))}"
    end += f" (+{len(doing) - 1})" if len(doing) > 1 else ""
    text = clean(first.text[:MAX_MEASURED])
    if width(text) + width(end) > columns:
        text = text.replace("worker-", "w")
    return cut(text, max(4, columns - width(end))) + end


def footer(bindings: Iterable[Binding], columns: int) -> Line:
    """The keys that have a short word, as many as fit whole; the last of them come first."""
    wanted = [(b.keys.split(" ")[0], b.short) for b in bindings if b.short]
    sizes = [width(key) + 1 + width(short) + 2 for key, short in wanted]
    kept: set[int] = set()
    room = columns
    for index in sorted(range(len(wanted)), key=lambda i: (i < len(wanted) - 2, i)):
        if sizes[index] <= room:
            kept.add(index)
            room -= sizes[index]
    parts: list[Segment] = []
    for index in sorted(kept):
        key, short = wanted[index]
        parts += [Segment(key, "key"), Segment(f" {short}  ", "muted")]
    return fit(tuple(parts), columns)


def ends(left: Line, right: Line, columns: int) -> Line:
    """A line with a part at each end; the right one is left out where both do not fit."""
    free = columns - columns_of(left) - columns_of(right)
    if free < 1:
        return fit(left, columns)
    return (*left, Segment(" " * free), *right)


def top_of(place: int, count: int, shown: int) -> int:
    """The first of `count` rows in sight, where `shown` fit, with `place` in the middle."""
    return max(0, min(place - shown // 2, count - shown))


def typed(prompt: str, text: str, at: int, columns: int) -> tuple[Line, int]:
    """A one-line field with its prompt, scrolled so that the cursor is in sight; its column."""
    room = max(1, columns - width(prompt) - 1)
    start = at
    used = 0
    while start and used + width(text[start - 1]) <= room - 1:
        start -= 1
        used += width(text[start])
    shown = clean(text[start : start + room + 1])
    return line(Segment(prompt, "focus"), shown), min(columns - 1, width(prompt) + used)
