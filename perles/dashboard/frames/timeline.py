"""A picture of who worked when: a row an agent, a column a stretch of time."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from perles.dashboard.frames.parts import moment
from perles.dashboard.terminal.segments import Line, Segment, cell, line
from perles.domain.duration import short_span

Turn = Mapping[str, Any]
_LABEL: Final = 14
_BAD: Final = frozenset({"failed", "lost", "timed_out"})


def timeline(turns: Sequence[Turn], columns: int, now: float) -> list[Line]:
    """The picture, with an axis; failed turns stand out in shape and colour."""
    begun = [turn for turn in turns if turn["started_at"]]
    if not begun:
        return [line(Segment("no turn yet", "muted"))]
    start = min(moment(turn["started_at"]) for turn in begun)
    live = any(not turn["ended_at"] for turn in begun)
    end = max(now if live else 0, *(moment(t["ended_at"] or t["started_at"]) for t in begun))
    room = max(10, columns - _LABEL - 14)
    step = max((end - start) / room, 0.001)
    agents: dict[str, list[Turn]] = {}
    for turn in begun:
        agents.setdefault(turn["agent"], []).append(turn)
    found = [_row(name, some, start, step, room, now) for name, some in agents.items()]
    axis = "0s" + cell(short_span(end - start), room - 2, right=True)
    return [*found, line(Segment(" " * _LABEL + axis, "muted"))]


def _row(
    name: str, turns: Sequence[Turn], start: float, step: float, room: int, now: float
) -> Line:
    cells = [" "] * room
    worked = 0.0
    for turn in turns:
        first = moment(turn["started_at"])
        last = moment(turn["ended_at"]) if turn["ended_at"] else now
        worked += max(0.0, last - first)
        mark = "█" if turn["ended_at"] else "▒"
        if turn["status"] in _BAD:
            mark = "✗"
        a = min(room - 1, max(0, int((first - start) / step)))
        b = min(room - 1, max(a, int((last - start) / step)))
        for place in range(a, b + 1):
            cells[place] = "✗" if cells[place] == "✗" else mark
    parts = [Segment(cell(name, _LABEL - 1) + " ", "agent.worker")]
    text = "".join(cells)
    parts += [Segment(text, "bad" if "✗" in text else "state.running")]
    parts.append(Segment(f" {len(turns)}× {short_span(worked)}", "muted"))
    return line(*parts)
