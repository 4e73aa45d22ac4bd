"""The form for a new workflow, as a box over the table."""

from __future__ import annotations

from typing import Any, Final

from perles.dashboard.frames.parts import top_of, typed
from perles.dashboard.frames.tree import tree
from perles.dashboard.model import form as forms
from perles.dashboard.model.form import Field, Form
from perles.dashboard.terminal.segments import (
    Line,
    Segment,
    beside,
    box,
    line,
    selected,
    stack,
    wrap,
)
from perles.domain.text import clean, cut, width

_INNER: Final = 76
_LEAST_BESIDE: Final = 30
"""Columns that the preview of the tasks needs to stand beside the fields."""
_LEAST_BELOW: Final = 2
_PLANNED: Final[dict[str, Any]] = {
    "status": "pending", "failure": None, "started_at": None, "ended_at": None,
}  # fmt: skip


def draw(form: Form, size: tuple[int, int]) -> tuple[list[Line], tuple[int, int] | None]:
    """The box, and where the cursor stands in it, from its own corner."""
    inner = max(10, min(_INNER, size[0] - 2))
    rows = max(1, size[1] - 4)
    free = size[0] - _INNER - 4 if form.template is not None else 0
    if form.template is None:
        lines, cursor = _choice(form, inner, rows)
        title = "New workflow: choose a template"
    else:
        lines, cursor = _fields(form, inner, rows)
        title = f"New workflow: {form.template['name']}"
    if form.error:
        lines += [line(Segment(part, "bad")) for part in wrap(form.error, inner)[:3]]
    if form.busy:
        lines.append(line(Segment("creating …", "muted")))
    left = rows - len(lines)
    if form.template is not None and free < _LEAST_BESIDE and left >= _LEAST_BELOW:
        lines += preview(form, inner, left)
    lines = lines[-rows:] if len(lines) > rows else lines
    if free >= _LEAST_BESIDE:
        drawn = _side_by_side(form, title, lines, min(_INNER, free), rows)
    else:
        drawn = box(title, lines, inner)
    return drawn, None if cursor is None else (cursor[0] + 1, cursor[1] + 1)


def _side_by_side(form: Form, title: str, lines: list[Line], wide: int, rows: int) -> list[Line]:
    tasks = preview(form, wide, rows)
    count = max(len(lines), len(tasks))
    boxes = [
        box(title, stack(lines, _INNER, count), _INNER),
        box("", stack(tasks, wide, count), wide, style="border"),
    ]
    return beside(*boxes)


def preview(form: Form, columns: int, rows: int) -> list[Line]:
    """The tasks that the form would make, or why there are none to show, in at most `rows` rows."""
    told = form.preview
    empty = forms.missing(form)
    if empty is not None:
        return [line(Segment(cut(clean(f"Tasks: once {empty} is filled in"), columns), "muted"))]
    if told.error:
        lead = [line(Segment("Tasks: none", "bad"))]
        return lead + [line(Segment(part, "bad")) for part in wrap(told.error, columns)[: rows - 1]]
    if told.tasks is None:
        return [line(Segment("Tasks: …", "muted"))] if told.asking else []
    if not told.tasks:
        return [line(Segment(cut("Tasks: the coordinator makes them", columns), "muted"))]
    found = tree([{**_PLANNED, **task, "assignee": task["who"]} for task in told.tasks], columns, 0)
    head = line(Segment(f"Tasks: {len(told.tasks)}", "title"))
    room = max(1, rows - 1)
    if len(found) > room:
        found = [*found[: room - 1], line(Segment(f"… {len(found) - room + 1} more", "muted"))]
    return [head, *found]


def _choice(form: Form, inner: int, rows: int) -> tuple[list[Line], tuple[int, int] | None]:
    field, column = typed("search: ", form.search.text, form.search.at, inner)
    if form.templates is None:
        return [field, line(Segment("reading templates …", "muted"))], (column, 0)
    found = forms.fits(form)
    at = min(form.cursor, max(0, len(found) - 1))
    shown = max(1, rows - 6)
    top = top_of(at, len(found), shown)
    lines = [field]
    for place in range(top, min(len(found), top + shown)):
        template = found[place]
        style = "bad" if template["error"] else "bold"
        given = line(
            Segment(f" {cut(clean(template['name']), 30)} ", style),
            Segment(cut(clean(f" {template['key']} · {template['source']}"), 40), "muted"),
        )
        lines.append(selected(given) if place == at else given)
    if not found:
        lines.append(line(Segment(" no template fits", "muted")))
    else:
        text = found[at]["description"] or ""
        lines += [line(Segment(part, "muted")) for part in wrap(text, inner)[:3]]
    return lines, (column, 0)


def _fields(form: Form, inner: int, rows: int) -> tuple[list[Line], tuple[int, int] | None]:
    blocks = [_field(form, index, inner) for index in range(len(form.fields))]
    first = 0
    room = max(2, rows - 2 - (2 if form.error else 0))
    while first < form.focus and sum(len(b[0]) for b in blocks[first : form.focus + 1]) > room:
        first += 1
    lines: list[Line] = []
    cursor = None
    for index in range(first, len(blocks)):
        drawn, column = blocks[index]
        if len(lines) + len(drawn) > room and index > form.focus:
            break
        if index == form.focus and column is not None:
            cursor = (column[0], len(lines) + column[1])
        lines += drawn
    start = " and starts it" if form.start else ""
    lines.append(line(Segment(f"Ctrl-S creates{start} · Tab next · Esc back", "muted")))
    return lines, cursor


def _field(form: Form, index: int, inner: int) -> tuple[list[Line], tuple[int, int] | None]:
    """One field; what is wrong with it stands below it once it is left."""
    given, focus = form.fields[index], index == form.focus
    label = cut(clean(given.label), 20) + ("*" if given.required else "")
    prompt = f"{label + ':':<16} " if inner >= 40 else f"{label}: "
    lines: list[Line]
    cursor = None
    if given.kind in forms.LISTS:
        lines = [_options(given, prompt, focus, inner)]
    elif given.kind == "textarea":
        lines, cursor = _area(given, prompt, focus, inner)
    else:
        field, column = typed(prompt, given.editor.text, given.editor.at, inner)
        lines = [field]
        cursor = (column, 0) if focus else None
    if focus:
        if given.help:
            lines.append(line(Segment(cut(clean(f"  {given.help}"), inner), "muted")))
        return lines, cursor
    lines = [tuple(Segment(t, "muted" if s == "focus" else s) for t, s in x) for x in lines]
    why = forms.wrong(given, form.providers)
    return [*lines, line(Segment(cut(clean(f"  ✗ {why}"), inner), "bad"))] if why else lines, cursor


def _options(given: Field, prompt: str, focus: bool, inner: int) -> Line:
    parts = [Segment(prompt, "focus")]
    used = width(prompt)
    start = 0
    sizes = [width(clean(option)) + 4 for option in given.options]
    while start < given.at and sum(sizes[start : given.at + 1]) > inner - used:
        start += 1
    for index in range(start, len(given.options)):
        mark = "●" if index in given.chosen else "○"
        style = "reverse" if focus and index == given.at else ""
        parts.append(Segment(f"{mark} {clean(given.options[index])}", style))
        parts.append(Segment("  "))
    return tuple(parts)


def _area(
    given: Field, prompt: str, focus: bool, inner: int
) -> tuple[list[Line], tuple[int, int] | None]:
    room = max(4, inner - 2)
    before = wrap(given.editor.text[: given.editor.at] + "x", room)
    lines = wrap(given.editor.text, room)
    top = max(0, len(before) - 4)
    shown = [line(Segment("│ ", "border"), part) for part in lines[top : top + 4]]
    shown += [line(Segment("│ ", "border"))] * ((4 if focus else 1) - len(shown))
    cursor = (2 + width(before[-1]) - 1, 1 + len(before) - 1 - top) if focus else None
    return [line(Segment(prompt, "focus")), *shown], cursor
