"""The box in which one types the name to go to, and what fits it."""

from __future__ import annotations

from typing import Final

from perles.dashboard.frames.parts import top_of, typed
from perles.dashboard.model.jump import KINDS, Jump, Target
from perles.dashboard.terminal.segments import Line, Segment, box, cell, line, selected
from perles.domain.text import clean, cut, width

_WIDEST: Final = 86
_KIND: Final = max(map(len, KINDS)) + 1
_MOST_ROWS: Final = 14


def draw(
    jump: Jump, targets: tuple[Target, ...], size: tuple[int, int]
) -> tuple[list[Line], tuple[int, int]]:
    """The box, and where the cursor stands in it."""
    columns, rows = size
    inner = max(10, min(_WIDEST, columns - 4))
    field, column = typed(": ", jump.text.text, jump.text.at, inner)
    shown = max(1, min(_MOST_ROWS, rows - 5))
    at = min(jump.cursor, max(0, len(targets) - 1))
    top = top_of(at, len(targets), shown)
    lines = [field]
    for place in range(top, min(len(targets), top + shown)):
        drawn = _row(targets[place], inner)
        lines.append(selected(drawn) if place == at else drawn)
    if not targets:
        lines.append(line(Segment(cut(f"nothing is named so: {', '.join(KINDS)}", inner), "muted")))
    return box("Go to", lines, inner), (1 + column, 1)


def _row(target: Target, inner: int) -> Line:
    room = max(4, inner - _KIND)
    name = cut(clean(target.name), room)
    rest = room - width(name) - 2
    about = f"  {cut(clean(target.about), rest)}" if rest > 3 else ""
    kind = cell(target.kind, min(_KIND, inner))
    return line(Segment(kind, "muted"), Segment(name, "bold"), Segment(about, "muted"))
