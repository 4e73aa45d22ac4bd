"""The little of Markdown that agents write, as styled lines: headings, lists, code, bold."""

from __future__ import annotations

from typing import Final

from perles.dashboard.terminal.segments import Line, Segment, line, wrap
from perles.domain.patterns import lazy_pattern

_INLINE: Final = lazy_pattern(r"(`[^`\n]+`|\*\*[^*\n]+\*\*)")
_BULLET: Final = lazy_pattern(r"^(\s*)(?:[-*+]|\d{1,3}[.)])\s+")
_MAX: Final = 20_000
"""Characters of one text that are laid out; what is longer is cut and says so."""


def markdown(text: str, columns: int) -> list[Line]:
    """Foreign text in lines of at most `columns` columns."""
    if len(text) > _MAX:
        text = f"{text[:_MAX]}\n… [{len(text) - _MAX} more characters]"
    found: list[Line] = []
    fenced = False
    for raw in text.splitlines():
        if raw.lstrip().startswith("```"):
            fenced = not fenced
            continue
        if fenced:
            found += [line(Segment(f"│ {part}", "code")) for part in wrap(raw, columns - 2)]
        else:
            found += _plain(raw, columns)
    return found


def _plain(raw: str, columns: int) -> list[Line]:
    if raw.startswith("#"):
        title = raw.lstrip("#").strip()
        return [line(Segment(part, "title")) for part in wrap(title, columns)]
    bullet = _BULLET.match(raw)
    if bullet is None:
        return [_inline(part) for part in wrap(raw, columns)]
    indent = min(len(bullet[1]), 12)
    mark = "•" if bullet[0].strip() in "-*+" else bullet[0].strip()
    lead = " " * indent + mark + " "
    parts = wrap(raw[bullet.end() :], max(8, columns - len(lead)))
    return [
        line(Segment(lead if index == 0 else " " * len(lead), "muted"), *_inline(part))
        for index, part in enumerate(parts)
    ]


def _inline(text: str) -> Line:
    found = []
    for part in _INLINE.split(text):
        if len(part) > 2 and part[0] == "`" and part[-1] == "`":
            found.append(Segment(part[1:-1], "code"))
        elif len(part) > 4 and part.startswith("**") and part.endswith("**"):
            found.append(Segment(part[2:-2], "bold"))
        elif part:
            found.append(Segment(part))
    return tuple(found)
