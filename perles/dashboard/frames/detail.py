"""One workflow's inside: a head, tabs, the body of the tab, the field to write in."""

from __future__ import annotations

from collections.abc import Mapping, Set
from typing import Any, Final

from perles.controlplane.held_reads import MANY
from perles.dashboard.frames import channels
from perles.dashboard.frames.body import SIDE, body_lines, columns_beside
from perles.dashboard.frames.matches import marked, settled
from perles.dashboard.frames.parts import (
    AGENT_GLYPHS,
    GLYPHS,
    bar,
    cost,
    ends,
    moment,
    note_of,
    short_number,
    uptime,
)
from perles.dashboard.frames.transcript import agent_style
from perles.dashboard.frames.tree import tree
from perles.dashboard.model import slash as model_slash
from perles.dashboard.model.editor import Editor
from perles.dashboard.model.seen import MARK
from perles.dashboard.model.state import Detail, Inside, View, tabs_of
from perles.dashboard.terminal.segments import (
    Line,
    Segment,
    beside,
    columns_of,
    fit,
    line,
    stack,
    wrap,
)
from perles.domain.duration import short_span
from perles.domain.task_story import foremost
from perles.domain.text import clean, cut, width

_INPUT_ROWS: Final = 4
_NEAR: Final = 4096
_SIGNS: Final = ("last_heartbeat_at", "last_progress_at")
_NOTE_BESIDE: Final = 110
"""From this width on, what a workflow does stands beside its name."""
_LEAST_NAME: Final = 12
_NOTE_BELOW: Final = 16
"""From this height on, it stands below on narrower screens."""


def draw(
    detail: Detail, view: View, new: Set[str] = frozenset()
) -> tuple[Detail, list[Line], int, tuple[int, int] | None]:
    """The detail where it is scrolled to; all rows but the last two; how far up one can scroll;
    where the cursor stands. The tabs in `new` have something that was not looked at."""
    columns, rows = view.size
    inside = view.inside
    if inside is None:
        text = f"{detail.workflow_id} is not there any more; Esc goes back"
        return detail, [line(Segment(text, "warn"))], 0, None
    field, cursor = _field(detail, view, inside)
    head = [*_head(inside.row, view), _tabs(detail, view, inside, new)]
    if detail.tab == "channels":
        head.append(channels.bar(detail, inside, columns))
    height = max(1, rows - 2 - len(head) - len(field))
    detail = settled(detail, view, columns_beside(columns), height)
    body, reach = _body(detail, view, inside, columns, height)
    lines = [*head, *body, *field]
    if cursor is not None:
        cursor = (cursor[0], len(head) + height + cursor[1])
    return detail, lines, reach, cursor


def _body(
    detail: Detail, view: View, inside: Inside, columns: int, height: int
) -> tuple[list[Line], int]:
    room = columns_beside(columns)
    lines = body_lines(detail, view, inside, room)
    reach = max(0, len(lines) - height)
    up = min(detail.up, reach)
    start = max(0, len(lines) - height - up)
    shown = lines[start : start + height]
    shown = marked(detail, view, room, start, shown)
    if shown and (up or detail.slid):
        shown[-1] = line(Segment(_more_below(detail, inside, up), "warn"))
    left = list(stack(shown, room, height))
    if room == columns:
        return left, reach
    side = stack(_side(view, inside, height), SIDE, height)
    split = [line(Segment(" │ ", "border"))] * height
    return beside(beside(left, split), side), reach


def _more_below(detail: Detail, inside: Inside, up: int) -> str:
    if detail.slid:
        return f"▼ {up} lines and more below; G follows"
    new = f"{inside.below}{'+' if inside.below >= MANY else ''} new, " if inside.below else ""
    return f"▼ {new}{up} lines below; G follows"


def _side(view: View, inside: Inside, height: int) -> list[Line]:
    row = inside.row
    lines = [line(Segment("Tasks", "title"))]
    agents = [agent for agent in inside.agents if agent["status"] != "retired"]
    retired = len(inside.agents) - len(agents)
    room = max(1, height - len(agents) - 8 - (1 if retired else 0))
    lines += tree(foremost(inside.tasks, room), SIDE, view.now, full=False, most=room)
    total = len(inside.tasks) + inside.more_tasks
    if total > room:
        lines.append(line(Segment(f"… {total - room} more: tab tasks", "muted")))
    lines += [(), line(Segment("Agents", "title"))]
    lines += [agent_line(agent, view.now, SIDE) for agent in agents]
    if retired:
        lines.append(line(Segment(f"– {retired} retired", "muted")))
    lines += [(), line(Segment(cut(clean(f"in {row['work_dir']}"), SIDE), "muted"))]
    if row["branch"]:
        lines.append(line(Segment(cut(clean(f"on {row['branch']}"), SIDE), "muted")))
    if row["state"] == "running":
        beat, progress = (_ago(row, key, view.now) for key in _SIGNS)
        lines.append(line(Segment(cut(f"heartbeat {beat}, progress {progress}", SIDE), "muted")))
    return lines


def _ago(row: Mapping[str, Any], key: str, now: float) -> str:
    return f"{short_span(now - moment(row[key]))} ago" if row[key] else "none yet"


def agent_line(agent: Mapping[str, Any], now: float, columns: int) -> Line:
    """What an agent does, and for how long its turn runs."""
    glyph, style = AGENT_GLYPHS.get(agent["status"], ("?", ""))
    what = agent["task"] or (agent["phase"] if agent["phase"] != "idle" else agent["status"])
    queued = f" +{agent['queued']}" if agent["queued"] else ""
    since = agent.get("turn_since")
    turn = f" turn {short_span(now - moment(since))}" if since else ""
    if agent.get("unreachable"):
        what, glyph, style = f"{agent['node']} unreachable", "▲", "bad"
    elif agent.get("node"):
        what = f"{what} @{agent['node']}"
    name = clean(agent["name"])
    room = max(1, min(24, columns - 2 - width(name) - width(turn)))
    return line(
        Segment(f"{glyph} ", style),
        Segment(name, agent_style(agent["name"])),
        Segment(cut(clean(f" {what}{queued}"), room) + turn, "muted"),
    )


def _head(row: Mapping[str, Any], view: View) -> list[Line]:
    """State, name, sums; what it does or waits for stands beside the name, or below it."""
    columns, rows = view.size
    asked = view.attention.asked.get(row["id"])
    row = row if asked is None else {**row, "asked": asked}
    done, total = row["tasks_done"], row["tasks_total"]
    right = line(
        Segment(f" {bar(done, total, 8)} {done}/{total}", "state.completed"),
        Segment(f"  {short_number(row['tokens_used'])} tok", "muted"),
        Segment(f"  {cost(row['cost_usd'], row['tokens_used'])}", "muted"),
        Segment(f"  {short_span(uptime(row, view.now))}", "muted"),
    )
    state = row["state"]
    lead = f"{GLYPHS.get(state, '?')} {state} "
    free = columns - width(lead) - columns_of(right) - 1
    below = columns < _NOTE_BESIDE
    if free < _LEAST_NAME:
        free = columns - width(lead)  # without the sums
    name = cut(clean(row["name"]), free if below else free // 2)
    note, style = note_of(row, view.now, columns - 2 if below else free - width(name) - 2)
    left = line(Segment(lead, f"state.{state}"), Segment(name, "bold"))
    if not below:
        left = (*left, Segment(f"  {cut(clean(note), max(0, free - width(name) - 2))}", style))
    first = fit(ends(left, right, columns), columns)
    if not below or rows < _NOTE_BELOW or not (note or state == "running"):
        return [first]
    return [first, fit(line("  ", Segment(clean(note), style)), columns)]


def tab_at(detail: Detail, view: View, x: int, y: int) -> str | None:
    """The tab that stands in a cell of the screen."""
    if view.inside is None or y != len(_head(view.inside.row, view)):
        return None
    first, parts = _labels(detail, view, view.inside, frozenset())
    end = 2 if first else 0
    for tab, part in zip(tabs_of(view)[first:], parts[first:], strict=True):
        end += columns_of(part)
        if x < end:
            return tab
    return None


def _tabs(detail: Detail, view: View, inside: Inside, new: Set[str]) -> Line:
    """The tabs, scrolled so that the one that is shown is in sight; then the context's use."""
    first, parts = _labels(detail, view, inside, new)
    left = tuple(s for part in parts[first:] for s in part)
    if first:
        left = (Segment("‹ ", "muted"), *left)
    columns = view.size[0]
    if columns_of(left) > columns:
        left = (*fit(left, max(0, columns - 2)), Segment(" ›", "muted"))
    return fit(ends(left, _context(detail, inside), columns), columns)


def _labels(detail: Detail, view: View, inside: Inside, new: Set[str]) -> tuple[int, list[Line]]:
    """The label of each tab, and which is the first that is shown."""
    marks = {agent["name"]: AGENT_GLYPHS.get(agent["status"], ("?", "")) for agent in inside.agents}
    unread = sum(one["unread"] for one in inside.channels)
    parts: list[Line] = []
    chosen = 0
    for index, tab in enumerate(tabs_of(view)):
        label = clean(tab).replace("worker-", "w")
        if tab == detail.tab:
            chosen = index
        glyph, style = marks.get(tab, ("", ""))
        opened, closed, name = ("[", "]", "title") if tab == detail.tab else (" ", " ", "")
        mark = (Segment(f"{glyph} ", style),) if glyph else ()
        count = unread if tab == "channels" and unread else ""
        said = (Segment(f"{MARK}{count}", "warn"),) if tab in new else ()
        parts.append((Segment(opened, name), *mark, Segment(label, name), *said))
        parts[-1] = (*parts[-1], Segment(closed, name))
    sizes = [columns_of(part) for part in parts]
    return _first_shown(sizes, chosen, view.size[0]), parts


def _first_shown(sizes: list[int], chosen: int, columns: int) -> int:
    """The first tab that is shown, so that the chosen one is in sight whole, beside `‹` and `›`."""
    for first in range(chosen):
        room = columns - (2 if first else 0)
        if sum(sizes[first:]) <= room or sum(sizes[first : chosen + 1]) <= room - 2:
            return first
    return chosen


def _context(detail: Detail, inside: Inside) -> Line:
    agent = next((one for one in inside.agents if one["name"] == detail.tab), None)
    if agent is None or not agent["context_used"]:
        return ()
    window = agent["context_window"]
    text = short_number(agent["context_used"])
    text += f"/{short_number(window)}" if window else ""
    full = bool(window) and agent["context_used"] > 0.8 * window
    return line(Segment(f"context {text} ", "warn" if full else "muted"))


def _field(detail: Detail, view: View, inside: Inside) -> tuple[list[Line], tuple[int, int] | None]:
    """The field to write in: one row that invites, or the text with its cursor."""
    columns, rows = view.size
    queued = next((one["queued"] for one in inside.agents if one["name"] == detail.to), 0)
    waits = f" · {queued} queued" if queued else ""
    if not detail.typing:
        if rows < 14:
            return [], None
        draft = f" (draft: {detail.input.text})" if detail.input.text else ""
        text = cut(clean(f"m writes to {detail.to}{waits}{draft}"), columns)
        return [line(Segment("─" * columns, "border")), line(Segment(text, "muted"))], None
    orders = model_slash.fitting(detail.input.text)
    help = f"{'  '.join(orders)} · Tab completes" if orders else "Tab for another"
    help = channels.hint(detail, view) or help if not orders else help
    title = f"─ to {clean(detail.to)}{waits} · {help} "
    head = line(Segment(cut(title, columns) + "─" * max(0, columns - width(title)), "focus"))
    room = max(1, columns - 3)
    text, place = _near(detail.input)
    before = wrap(text[:place] + "x", room)  # blanks at the end count
    column = width(before[-1]) - 1
    lines = wrap(text, room)
    at = len(before) - 1
    most = min(_INPUT_ROWS, max(1, rows // 4))
    start = max(0, min(at - most + 1, len(lines) - 1))
    shown = [line(Segment("  "), part) for part in lines[start : start + most]]
    shown += [line("")] * (min(most, max(1, len(lines))) - len(shown))
    return [head, *shown], (min(columns - 1, 2 + column), 1 + at - start)


def _near(editor: Editor) -> tuple[str, int]:
    """The text around the cursor, from the start of a line, and where the cursor stands in it.

    No more of it can be seen, and a long text would be wrapped anew at each key.
    """
    start = max(0, (editor.at - _NEAR) // _NEAR * _NEAR)
    if start:
        newline = editor.text.find("\n", start, editor.at - _NEAR // 2)
        start = start if newline < 0 else newline + 1
    return editor.text[start : editor.at + _NEAR], editor.at - start
