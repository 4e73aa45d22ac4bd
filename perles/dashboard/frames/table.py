"""The table of workflows: a top line, a header, the rows that are in sight."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import Any, Final, NamedTuple

from perles.dashboard.frames import preview as previews
from perles.dashboard.frames.parts import (
    GLYPHS,
    bar,
    cost,
    day_and_time,
    ends,
    moment,
    note_of,
    short_number,
    uptime,
)
from perles.dashboard.model.columns import shows_words
from perles.dashboard.model.preview import preview_rows
from perles.dashboard.model.seen import MARK, is_new
from perles.dashboard.model.state import State, View, selected_id, table_rows
from perles.dashboard.terminal.segments import Line, Segment, cell, fit, line, selected
from perles.domain.duration import short_span

Row = Mapping[str, Any]


class Column(NamedTuple):
    """One column: what it is called, how wide it is, and what stands in it."""

    title: str
    columns: int
    make: Callable[[Row, float, int], tuple[str, str]]
    sort: str = ""
    right: bool = False


def _state(row: Row, _now: float, columns: int) -> tuple[str, str]:
    glyph = GLYPHS.get(row["state"], "?")
    return (glyph if columns < 3 else f"{glyph} {row['state']}"), f"state.{row['state']}"


def _name(row: Row, _now: float, _columns: int) -> tuple[str, str]:
    return str(row["name"]), "bold" if row["state"] == "running" else ""


def _tasks(row: Row, _now: float, columns: int) -> tuple[str, str]:
    done, total = row["tasks_done"], row["tasks_total"]
    count = f"{done}/{total}" if total else "-"
    if columns < 12 or not total:
        return count, ""
    is_bad = row["tasks_failed"] > row["tasks_tolerated"]
    return f"{bar(done, total, 5)} {count}", "bad" if is_bad else "state.completed"


def _health(row: Row, now: float, _columns: int) -> tuple[str, str]:
    if row["state"] != "running":
        return "-", "muted"
    beat = row["last_heartbeat_at"]
    age = short_span(now - moment(beat)) if beat else "-"
    marks = {"stuck": ("‼ ", "bad"), "degraded": ("! ", "warn"), "healthy": ("♥ ", "good")}
    mark, style = marks.get(row["health"], ("♡ ", "muted"))
    return mark + age, style


def _progress(row: Row, now: float, _columns: int) -> tuple[str, str]:
    at = row["last_progress_at"] if row["state"] == "running" else None
    return (f"{short_span(now - moment(at))} ago" if at else "-"), "muted"


def _place(row: Row, _now: float, _columns: int) -> tuple[str, str]:
    if row["branch"]:
        return f"⎇ {row['branch']}", "muted"
    return row["work_dir"].rstrip("/").rpartition("/")[2] or "/", "muted"


def _said(row: Row, _now: float, columns: int) -> tuple[str, str]:
    text = str(row.get("said") or "")
    return " ".join(text[: 4 * columns].split()), "muted"


def _unread(row: Row, _now: float, columns: int) -> tuple[str, str]:
    """How many posts of agents nobody has read, as far as it has room."""
    count, most = int(row.get("unread") or 0), 10 ** (columns - 1) - 1
    return (str(count) if count <= most else f"{most}+") if count else "", "warn"


def _cost(row: Row, _now: float, _columns: int) -> tuple[str, str]:
    return cost(row["cost_usd"], row["tokens_used"]), ""


def _priority(row: Row, _now: float, _columns: int) -> tuple[str, str]:
    return ("↓", "·", "↑")[row["priority"]], "warn" if row["priority"] == 2 else "muted"


_STATE: Final = Column("STATE", 11, _state, "state")
_GLYPH: Final = Column("", 1, _state, "state")
_BAR: Final = Column("TASKS", 14, _tasks)
_COUNT: Final = Column("TASKS", 7, _tasks)
_WORKERS: Final = Column("W", 2, lambda r, _n, _c: (str(r["workers"]), ""), right=True)
_HEALTH: Final = Column("HEALTH", 7, _health, "attention")
_TOKENS: Final = Column(
    "TOKENS", 6, lambda r, _n, _c: (short_number(r["tokens_used"]), ""), "tokens", right=True
)
_COST: Final = Column("COST", 7, _cost, "cost", right=True)
_UPTIME: Final = Column("UP", 5, lambda r, n, _c: (short_span(uptime(r, n)), ""), right=True)
_STARTED: Final = Column(
    "STARTED", 11, lambda r, _n, _c: (day_and_time(r["started_at"]), "muted"), "started"
)
_TEMPLATE: Final = Column("TEMPLATE", 14, lambda r, _n, _c: (str(r["template_id"]), "muted"))
_PLACE: Final = Column("WHERE", 16, _place)
_PRIORITY: Final = Column("P", 1, _priority, "priority")

_UNREAD: Final = Column("NEW", 3, _unread, right=True)
_PROGRESS: Final = Column("PROGRESS", 9, _progress)
_SIGNS: Final = (_HEALTH, _PROGRESS)
_FROM: Final = (_PLACE, _TEMPLATE)
_BY_WIDTH: Final = (
    (36, (_COUNT,)),
    (60, (_COUNT, _UPTIME)),
    (78, (_BAR, _HEALTH, _UPTIME)),
    (86, (_BAR, _UNREAD, _HEALTH, _UPTIME)),
    (100, (_BAR, _UNREAD, _WORKERS, _HEALTH, _TOKENS, _UPTIME)),
    (110, (_PRIORITY, _BAR, _UNREAD, _WORKERS, _HEALTH, _TOKENS, _COST, _UPTIME)),
    (132, (_PRIORITY, _BAR, _UNREAD, _WORKERS, _HEALTH, _TOKENS, _COST, _UPTIME, _PLACE)),
    (152, (_PRIORITY, _BAR, _UNREAD, _WORKERS, *_SIGNS, _TOKENS, _COST, _UPTIME, _PLACE)),
    (168, (_PRIORITY, _BAR, _UNREAD, _WORKERS, *_SIGNS, _TOKENS, _COST, _UPTIME, _STARTED, _PLACE)),
    (184, (_PRIORITY, _BAR, _UNREAD, _WORKERS, *_SIGNS, _TOKENS, _COST, _UPTIME, _STARTED, *_FROM)),
)


@lru_cache(maxsize=16)
def layout(columns: int) -> tuple[Column, ...]:
    """The columns that fit; name and note share what is left."""
    rest: tuple[Column, ...] = ()
    for least, some in _BY_WIDTH:
        if columns >= least:
            rest = some
    first = _STATE if columns >= 56 else _GLYPH
    taken = 2 + first.columns + 1 + sum(column.columns + 1 for column in rest)
    free = max(4, columns - taken - 1)
    note = 0 if columns < 70 else max(12, free // 2)
    said = 0
    if shows_words(columns):
        note, said = free * 2 // 7, free * 3 // 7
    taken = sum(part + 1 for part in (note, said) if part)
    found = (first, Column("NAME", free - taken, _name, "name"), *rest)
    if note:
        found = (*found, Column("NOTE", note, note_of))
    if said:
        found = (*found, Column("SAID LAST", said, _said))
    return found


def draw(state: State, view: View) -> list[Line]:
    """The table in all rows of the screen but the last two."""
    columns = view.size[0]
    shown = table_rows(view.size)
    lines = [top_line(view), _header(state, columns)]
    if not view.ids:
        return [*lines, *_empty(state, view, shown)]
    top = max(0, min(state.table.top, len(view.ids) - shown))
    asked = view.attention.asked
    for place in range(top, min(len(view.ids), top + shown)):
        workflow_id = view.ids[place]
        row = view.rows.get(workflow_id)
        if row is not None and workflow_id in asked:
            row = {**row, "asked": asked[workflow_id]}
        marked = workflow_id in state.table.marked
        drawn = _row(row, marked, is_new(state, view, workflow_id), view.now, columns)
        lines.append(selected(drawn) if place == state.table.cursor else drawn)
    return [*lines, *_preview(state, view, shown)]


def _preview(state: State, view: View, shown: int) -> list[Line]:
    """What stands below the rows: a preview of the selected one, where it was read."""
    preview, rows = view.preview, preview_rows(shown, len(view.ids))
    if not rows or preview is None or preview.workflow_id != selected_id(state, view):
        return []
    name = view.rows[preview.workflow_id]["name"] if preview.workflow_id in view.rows else ""
    return [line(""), *previews.draw(preview, str(name), view.now, view.size[0], rows)]


def top_line(view: View) -> Line:
    """What is used of each limit, what it costs, what needs a person."""
    columns, totals, limits = view.size[0], view.totals, view.limits
    parts = [Segment("perles ", "title")]
    if not view.engine:
        parts.append(Segment(" no engine ", "warn" if view.work else "muted"))
    if view.waiting:
        parts.append(Segment(f" ▲ {len(view.waiting)} for you ", "warn"))
    short = columns < 76
    for label, used, key in (
        ("running", totals.workflows_running, "workflows"),
        ("workers", totals.workers, "workers"),
        ("calls", totals.ai_calls, "ai_calls"),
    ):
        limit = limits.get(key)
        full = limit is not None and used >= limit
        text = f" {label[:3] if short else label} {used}" + (f"/{limit:.0f}" if limit else "")
        parts.append(Segment(text, "warn" if full else "muted"))
    if totals.queued and not short:
        parts.append(Segment(f" queued {totals.queued}", "muted"))
    budget = int(limits.get("tokens") or 0)
    tokens = short_number(totals.tokens) + (f"/{short_number(budget)}" if budget else "")
    right = line(
        Segment(f"{tokens} tokens  {_sum(totals.cost_today, totals.unpriced_today)} today", "muted")
    )
    return fit(ends(tuple(parts), right, columns), columns)


def _sum(dollars: float, unpriced: int) -> str:
    """What is known of a cost; `≥` where nobody told what some tokens cost."""
    return f"{'≥' if dollars and unpriced else ''}{cost(dollars, unpriced)}"


def _header(state: State, columns: int) -> Line:
    parts = [Segment("  ", "muted")]
    for column in layout(columns):
        sorted_by = column.sort == state.table.sort and column.title
        title = f"{column.title}▾" if sorted_by else column.title
        parts.append(
            Segment(
                cell(title, column.columns, right=column.right) + " ",
                "focus" if sorted_by else "muted",
            )
        )
    return fit(tuple(parts), columns)


def _row(row: Row | None, marked: bool, new: bool, now: float, columns: int) -> Line:
    if row is None:
        return fit(line(Segment("  …", "muted")), columns)
    lead = [Segment(MARK if new else " ", "warn"), Segment(" ")]
    parts = [Segment("▌", "mark"), lead[0]] if marked else lead
    for column in layout(columns):
        text, style = column.make(row, now, column.columns)
        parts.append(Segment(cell(text, column.columns, right=column.right) + " ", style))
    return fit(tuple(parts), columns)


def _empty(state: State, view: View, rows: int) -> list[Line]:
    columns = view.size[0]
    if state.table.filter.text and view.total:
        text = f"none of {view.total} fits the filter; Esc clears it"
    elif view.banner:
        text = "nothing can be read"
    else:
        text = "no workflow yet: Enter takes a goal in words, n offers templates"
        text = text if len(text) <= columns else "no workflow yet; n makes one"
    pad = " " * max(0, (columns - len(text)) // 2)
    return [*([line("")] * (rows // 3)), fit(line(Segment(pad + text, "muted")), columns)]
