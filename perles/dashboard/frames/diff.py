"""What a workflow changed: its files, and every line, with what was written about it."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from perles.dashboard.frames.matches import mark
from perles.dashboard.frames.parts import ends, typed
from perles.dashboard.frames.transcript import agent_style
from perles.dashboard.model.diff import MAX_ROWS, Diff, Row
from perles.dashboard.model.state import View
from perles.dashboard.terminal.segments import (
    Line,
    Segment,
    beside,
    cell,
    fit,
    line,
    selected,
    stack,
    wrap,
)
from perles.domain.text import clean, cut, width

FIRST_ROW: Final = 2
"""The row of the screen where the first line of the diff stands."""
_WIDE: Final = 110
"""From this width on, the files stand beside the lines."""
_SIDE: Final = 36
_NUMBER: Final = 6
_TAB: Final = 4
_MOST: Final = 2000
"""Characters of a line that are looked at."""
_STYLES: Final = {
    "file": "title",
    "hunk": "agent.coordinator",
    "add": "state.completed",
    "del": "state.failed",
    "note": "muted",
}
_MARKS: Final = {"add": "+", "del": "-", "same": " "}


def body_height(diff: Diff, view: View) -> int:
    """How many rows of the screen the lines of the diff have."""
    return max(1, view.size[1] - 2 - FIRST_ROW - (0 if diff.comment is None else 2))


def rows_of(diff: Diff, at: int) -> int:
    """How many rows of the screen a line takes, with what was written about it."""
    return 1 + sum(1 for one in diff.comments if one.row == at)


def draw(diff: Diff, view: View) -> tuple[Diff, list[Line], tuple[int, int] | None]:
    """The diff scrolled to its cursor; all rows but the last two; where the cursor stands."""
    columns = view.size[0]
    height = body_height(diff, view)
    diff = _scrolled(diff, height)
    head = [_head(diff, columns), _here(diff, columns)]
    room = columns - _SIDE - 3 if columns >= _WIDE and diff.files else columns
    body = list(stack(_body(diff, room, height), room, height))
    if room != columns:
        split = [line(Segment(" │ ", "border"))] * height
        body = beside(beside(body, split), stack(_side(diff, height), _SIDE, height))
    lines = [*head, *body]
    if diff.comment is None:
        return diff, lines, None
    title = _ruled(f"─ to {clean(diff.to)} · Enter sends · Tab for another ", columns)
    lines.append(line(Segment(title, "focus")))
    field, at = typed("  ", diff.comment.text.replace("\n", " "), diff.comment.at, columns)
    return diff, [*lines, field], (at, len(lines))


def _scrolled(diff: Diff, height: int) -> Diff:
    """The top so that the cursor is in sight, with what was written about its line."""
    at = min(diff.cursor, max(0, len(diff.rows or ()) - 1))
    top = min(diff.top, at)
    needed = sum(rows_of(diff, one) for one in range(max(top, at - height), at + 1))
    top = max(top, at - height)
    while top < at and needed > height:
        needed -= rows_of(diff, top)
        top += 1
    return replace(diff, cursor=at, top=top)


def _head(diff: Diff, columns: int) -> Line:
    about = diff.about
    base, branch = str(about.get("base") or "")[:12], str(about.get("branch") or "")
    left = line(
        Segment("Diff ", "title"),
        Segment(clean(str(about.get("name") or diff.workflow_id)), "bold"),
        Segment(clean(f"  {branch} since {base}" if branch else ""), "muted"),
    )
    if not diff.files:
        return fit(left, columns)
    added, removed = (sum(one[key] or 0 for one in diff.files) for key in ("added", "removed"))
    many = "1 file" if len(diff.files) == 1 else f"{len(diff.files)} files"
    right = line(
        Segment(f" {many}"),
        Segment(f" +{added}", "state.completed"),
        Segment(f" -{removed} ", "state.failed"),
    )
    return fit(ends(left, right, columns), columns)


def _here(diff: Diff, columns: int) -> Line:
    """Which file the selected line is of."""
    row = diff.selected
    if row is None or row.file < 0:
        return fit(line(Segment("─" * columns, "border")), columns)
    name = clean(_name(diff, row.file))
    place = f"file {row.file + 1} of {len(diff.files)}"
    return fit(line(Segment(_ruled(f"── {name} · {place} ", columns), "border")), columns)


def _ruled(title: str, columns: int) -> str:
    """The title, and a rule up to the end of the line."""
    shown = cut(title, columns)
    return shown + "─" * max(0, columns - width(shown))


def _name(diff: Diff, file: int) -> str:
    return str(diff.files[file]["path"]) if file < len(diff.files) else "?"


def _body(diff: Diff, columns: int, height: int) -> list[Line]:
    if diff.error:
        return [line(Segment(part, "bad")) for part in wrap(diff.error, columns)]
    if diff.rows is None:
        return [line(Segment("reading …", "muted"))]
    if not diff.rows:
        return [line(Segment("no changes; R looks again", "muted"))]
    found: list[Line] = []
    wanted = diff.search.text.lower()
    at = diff.top
    while at < len(diff.rows) and len(found) < height:
        drawn = _row(diff, diff.rows[at], columns)
        if wanted:
            drawn = mark(drawn, wanted, at == diff.cursor)
        found.append(selected(fit(drawn, columns)) if at == diff.cursor else drawn)
        for one in diff.comments:
            if one.row == at:
                text = cut(clean(one.text.replace("\n", " ")), max(1, columns - 14 - len(one.to)))
                note = Segment(f"{'':>{_NUMBER}} ▌ to {clean(one.to)}: ", agent_style(one.to))
                found.append(line(note, Segment(text)))
        at += 1
    if diff.about.get("cut") and at >= len(diff.rows) and len(found) < height:
        text = f"… only the first {MAX_ROWS} lines are shown; perles diff has all"
        found.append(line(Segment(text, "warn")))
    return found


def _row(diff: Diff, row: Row, columns: int) -> Line:
    style = _STYLES.get(row.kind, "")
    text = clean(row.text[:_MOST].expandtabs(_TAB))
    if row.kind == "file":
        one = diff.files[row.file] if row.file < len(diff.files) else {}
        sums = "" if one.get("added") is None else f"  +{one['added']} -{one['removed']}"
        return line(Segment(f"■ {text}", style), Segment(sums, "muted"))
    if row.kind in ("hunk", "note"):
        return line(Segment(f"{'':>{_NUMBER}} "), Segment(text, style))
    number = row.new if row.new is not None else row.old
    shown = text[diff.left :] if len(text) > diff.left else ""
    more = "›" if len(shown) > columns - _NUMBER - 2 else ""
    lead = f"{number or '':>{_NUMBER - 1}} "
    kept = cut(shown, max(1, columns - _NUMBER - 2)) if more else shown
    gap = "‹" if diff.left else " "
    return line(Segment(lead, "muted"), Segment(_MARKS[row.kind] + gap + kept, style))


def _side(diff: Diff, height: int) -> list[Line]:
    """The files, the one that is looked at in sight."""
    here = diff.selected.file if diff.selected is not None else 0
    top = max(0, min(here - height // 2, len(diff.files) - height + 1))
    lines = [line(Segment("Files", "title"))]
    for at, one in enumerate(diff.files[top : top + height - 1], top):
        sums = "binary" if one["added"] is None else f"+{one['added']} -{one['removed']}"
        name = _ending(clean(str(one["path"])), _SIDE - len(sums) - 1)
        drawn = line(
            Segment(cell(name, _SIDE - len(sums) - 1) + " ", "bold" if at == here else ""),
            Segment(sums, "muted"),
        )
        lines.append(selected(drawn) if at == here else drawn)
    return lines


def _ending(path: str, columns: int) -> str:
    """A path that is too long keeps its end: that is what tells files apart."""
    return path if len(path) <= columns else "…" + path[-(columns - 1) :]
