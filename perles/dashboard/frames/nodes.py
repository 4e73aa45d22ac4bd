"""The machines of the cluster: a line each, all that is known of the chosen one below."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Final

from perles.dashboard.frames.parts import moment, top_of
from perles.dashboard.model.nodes import place_of
from perles.dashboard.model.state import State, View
from perles.dashboard.terminal.segments import Line, Segment, cell, fit, line, selected, wrap
from perles.domain.cluster_words import no_nodes, standing
from perles.domain.duration import short_span, span
from perles.domain.size import format_size

_GLYPHS: Final = {
    "ready": ("●", "good"),
    "draining": ("◐", "warn"),
    "unreachable": ("▲", "bad"),
    "gone": ("■", "muted"),
}
_BELOW: Final = 9
"""Rows of the text below, where the screen has room for them."""


def draw(state: State, view: View) -> list[Line]:
    """All rows of the screen but the last two."""
    columns, rows = view.size[0], view.size[1] - 2
    lines = [_head(view, columns)]
    place = place_of(state.nodes, view.nodes)
    if place is None:
        words = no_nodes(view.cluster, datetime.fromtimestamp(view.now, UTC))
        return [
            *lines,
            (),
            *(line(Segment(f"  {one}", "muted")) for one in wrap(words, columns - 4)),
        ]
    shown = shown_rows(view.size)
    lines.append(_titles(columns))
    top = top_of(place, len(view.nodes), shown)
    for at in range(top, min(len(view.nodes), top + shown)):
        drawn = _row(view.nodes[at], view.now, columns)
        lines.append(selected(drawn) if at == place else drawn)
    lines += [()] * (2 + shown - len(lines))
    lines.append(line(Segment("─" * columns, "border")))
    return (lines + _about(view.nodes[place], view.now, columns))[:rows]


def shown_rows(size: tuple[int, int]) -> int:
    """How many nodes are in sight at once."""
    room = size[1] - 5
    return max(1, room - min(_BELOW, room // 2))


def place_at(state: State, view: View, y: int) -> int | None:
    """Which node stands in a row of the screen."""
    place = place_of(state.nodes, view.nodes)
    if place is None or y < 2:
        return None
    shown = shown_rows(view.size)
    at = top_of(place, len(view.nodes), shown) + y - 2
    return at if y - 2 < shown and at < len(view.nodes) else None


def _head(view: View, columns: int) -> Line:
    ready = sum(node["state"] == "ready" for node in view.nodes)
    there = sum(node["state"] != "gone" for node in view.nodes)
    parts = [Segment("Nodes ", "title"), Segment(f"{ready} of {there} ready", "muted")]
    if view.cluster is not None and view.nodes:
        words = standing(view.cluster, datetime.fromtimestamp(view.now, UTC))
        style = "muted" if view.cluster["state"] == "connected" else "bad"
        parts.append(Segment(f"  {view.cluster['place']} {words}", style))
    return fit(tuple(parts), columns)


def _widths(columns: int) -> tuple[int, ...]:
    """The columns of the table that fit: node, state, slots, memory, heard, labels, note."""
    wide = columns >= 100
    name = 12 if columns < 60 else 18
    return (name, 13, 7, 21 if wide else 0, 9, 14 if wide else 0)


def _cells(columns: int, *texts: str) -> list[str]:
    widths = _widths(columns)
    shown = [cell(text, most) + " " for text, most in zip(texts, widths, strict=False) if most]
    rest = columns - sum(len(one) for one in shown)
    return [*shown, texts[-1] if rest > 6 else ""]


def _titles(columns: int) -> Line:
    names = ("NODE", "STATE", "SLOTS", "MEMORY FREE", "HEARD", "LABELS", "NOTE")
    return fit(line(*(Segment(one, "muted") for one in _cells(columns, *names))), columns)


def _row(node: Mapping[str, Any], now: float, columns: int) -> Line:
    glyph, style = _GLYPHS.get(node["state"], ("?", ""))
    texts = _cells(
        columns,
        node["name"],
        f"{glyph} {node['state']}",
        f"{node['used']}/{node['slots']}",
        _memory(node),
        f"{short_span(now - moment(node['last_heard_at']))} ago",
        ",".join(node["labels"]) or "-",
        "; ".join(node["problems"]),
    )
    styles = ["bold", style, *[""] * (len(texts) - 3), _told_as(node)]
    return fit(tuple(Segment(*one) for one in zip(texts, styles, strict=True)), columns)


def _told_as(node: Mapping[str, Any]) -> str:
    """The style of what is told of it: why it has gone is no fault of its."""
    return "muted" if node["state"] == "gone" else "bad"


def _memory(node: Mapping[str, Any]) -> str:
    free, whole = node["memory_free"], node["memory"]
    return f"{format_size(free)} of {format_size(whole)}" if free and whole else "-"


def _about(node: Mapping[str, Any], now: float, columns: int) -> list[Line]:
    """All that is known of a node, and the turns that run there."""
    version = f"perles {node['perles'] or '?'}, python {node['python'] or '?'}"
    disk = format_size(node["disk_free"]) if node["disk_free"] else "?"
    heard = span(now - moment(node["last_heard_at"]))
    facts = [
        f"{node['name']} on {node['host'] or '?'}: {version}, {node['cpus'] or '?'} CPUs",
        f"memory free {_memory(node)}, disk free {disk}, clock {_skew(node['skew'])}",
        f"heard {heard} ago, labels {', '.join(node['labels']) or 'none'}"
        + (", drained by a person" if node["drain"] else ""),
    ]
    lines = [fit(line(Segment(text)), columns) for text in facts]
    lines += [fit(line(Segment(text, _told_as(node))), columns) for text in node["problems"]]
    lines += [_turn(turn, now, columns) for turn in node["turns"]]
    return lines if node["turns"] else [*lines, line(Segment("no turn runs there", "muted"))]


def _skew(skew: float | None) -> str:
    if not skew:
        return "as here"
    return f"{span(abs(skew))} {'ahead' if skew > 0 else 'behind'}" if abs(skew) >= 1 else "as here"


def _turn(turn: Mapping[str, Any], now: float, columns: int) -> Line:
    began = turn["started_at"]
    age = short_span(now - moment(began)) if began else "-"
    task = f" {turn['task']}" if turn["task"] else ""
    words = f"{turn['workflow']}: {turn['agent']}{task}, {age}"
    return fit(line(Segment("● ", "state.running"), Segment(words)), columns)
