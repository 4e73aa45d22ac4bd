"""Records as lines: what agents were told, said and did; messages; events; logs."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import Final

from perles.dashboard.frames.parts import clock
from perles.dashboard.frames.text import markdown
from perles.dashboard.reading.detail import Record
from perles.dashboard.terminal.segments import Line, Segment, line, wrap
from perles.domain.text import clean, cut

_RESULT_LINES: Final = 4
_TELLING: Final = ("command", "file_path", "path", "pattern", "query", "url")
_MOST_WHOLE: Final = 20_000
"""Characters of a call or a result that are shown unfolded; an event holds no more of one."""
_DELIVERY: Final = {"queued": "○ queued", "delivered": "● delivered", "done": "✓ done"}


def lines_of(records: Sequence[Record], columns: int, whole: bool = False) -> list[Line]:
    """All lines of these records, in their order."""
    found: list[Line] = []
    for record in records:
        found += record_lines(record, columns, whole)
    return found


@lru_cache(maxsize=1024)
def record_lines(record: Record, columns: int, whole: bool = False) -> tuple[Line, ...]:
    """The lines of one record; `whole` has tool calls and their results unfolded."""
    draw = _WHOLE.get(record.kind) if whole else None
    return tuple((draw or _DRAW.get(record.kind, _other))(record, columns))


def agent_style(name: str) -> str:
    """The colour of somebody's name."""
    for role in ("coordinator", "worker", "observer", "user"):
        if name.startswith(role):
            return f"agent.{role}"
    return "muted"


def _head(record: Record, who: str, note: str = "") -> Line:
    parts = [Segment(who, f"bold {''}".strip() if not who else agent_style(who))]
    parts.append(Segment(f"  {clock(record.at)}", "muted"))
    if note:
        parts.append(Segment(f"  {note}", "muted"))
    return line(*parts)


def _incoming(record: Record, columns: int) -> list[Line]:
    lines = [_head(record, clean(record.who), "wrote")]
    bar = Segment("▌ ", agent_style(record.who))
    return [*lines, *((bar, *given) for given in markdown(record.text, columns - 2)), ()]


def _text(record: Record, columns: int) -> list[Line]:
    return [_head(record, clean(record.who)), *markdown(record.text, columns), ()]


def _tool(record: Record, columns: int) -> list[Line]:
    text = cut(clean(_hint(record.text)), max(1, columns - 4 - len(record.note)))
    return [line(Segment("├╴", "muted"), Segment(clean(record.note), "key"), Segment(f" {text}"))]


def _whole_tool(record: Record, columns: int) -> list[Line]:
    head = line(Segment("├╴", "muted"), Segment(clean(record.note), "key"))
    parts = wrap(_spread(record.text)[:_MOST_WHOLE], max(1, columns - 4)) if record.text else []
    return [head, *(line(Segment("│  ", "muted"), part) for part in parts)]


def _spread(text: str) -> str:
    """What a tool was given, a line for each of its arguments where they are told apart."""
    given = _arguments(text)
    return "\n".join(f"{key}: {value}" for key, value in given.items()) if given else text


def _hint(text: str) -> str:
    """What a tool was given, in a line: its most telling argument, else all of them."""
    given = _arguments(text)
    told = next((given[key] for key in _TELLING if given.get(key)), None)
    return told or ", ".join(f"{key}: {value}" for key, value in given.items()) or text


def _arguments(text: str) -> dict[str, str]:
    """The arguments of a tool; none where they are not told apart, or were cut."""
    try:
        given = json.loads(text)
    except ValueError:
        return {}
    found = given if isinstance(given, dict) else {}
    return {
        str(key): value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
        for key, value in found.items()
    }


def _tool_result(record: Record, columns: int) -> list[Line]:
    parts = wrap(record.text.strip()[:2000], max(1, columns - 4)) if record.text.strip() else []
    more = len(parts) - _RESULT_LINES
    found = _hung(parts[:_RESULT_LINES])
    text = f"   … {more} more lines; t unfolds"
    return [*found, line(Segment(text, "muted"))] if more > 0 else found


def _whole_result(record: Record, columns: int) -> list[Line]:
    text = record.text.strip()[:_MOST_WHOLE]
    return _hung(wrap(text, max(1, columns - 4)) if text else [])


def _told_tool(record: Record, columns: int) -> list[Line]:
    """A call of one of our own tools: the first line of its text tells it."""
    told, _, _ = record.text.partition("\n")
    text = cut(clean(told), max(1, columns - 4 - len(record.note)))
    return [line(Segment("├╴", "muted"), Segment(clean(record.note), "key"), Segment(f" {text}"))]


def _whole_told_tool(record: Record, columns: int) -> list[Line]:
    return _whole_tool(record._replace(text=record.text.partition("\n")[2]), columns)


def _told_result(record: Record, columns: int) -> list[Line]:
    return _hung([cut(clean(record.text.partition("\n")[0]), max(1, columns - 4))])


def _hung(parts: Sequence[str]) -> list[Line]:
    return [
        line(Segment("╰╴ " if index == 0 else "   ", "muted"), Segment(part, "muted"))
        for index, part in enumerate(parts)
    ]


def _error(record: Record, columns: int) -> list[Line]:
    parts = wrap(record.text, max(1, columns - 2))
    return [line(Segment(f"{'✗ ' if i == 0 else '  '}{p}", "bad")) for i, p in enumerate(parts)]


def _turn(record: Record, columns: int) -> list[Line]:
    bad = record.text in ("failed", "lost", "timed_out")
    note = f": {record.note}" if record.note else ""
    text = cut(clean(f"── turn {record.text}{note} · {clock(record.at)} "), columns)
    return [line(Segment(text, "bad" if bad else "muted"))]


def _usage(record: Record, columns: int) -> list[Line]:
    text = f"  · tokens {record.text}" if record.text else "  · no usage"
    return [line(Segment(cut(clean(text), columns), "muted"))]


def _notice(record: Record, columns: int) -> list[Line]:
    head = line(Segment("▲ for you", "warn"), Segment(f"  {clock(record.at)}", "muted"))
    return [head, *markdown(record.text, columns), ()]


def _message(record: Record, columns: int) -> list[Line]:
    lead = line(
        Segment(f"{clock(record.at)}  ", "muted"),
        Segment(clean(record.who), agent_style(record.who)),
        Segment(f"  {_DELIVERY.get(record.note, record.note)}", "muted"),
    )
    body = [(Segment("  "), *given) for given in markdown(record.text, columns - 2)]
    return [lead, *body, ()]


def _post(record: Record, columns: int) -> list[Line]:
    return [(), *_posted(record, columns, "")]


def _answer(record: Record, columns: int) -> list[Line]:
    return _posted(record, columns, "  ↳ ")


def _posted(record: Record, columns: int, lead: str) -> list[Line]:
    head = line(
        Segment(f"{lead}{record.key}  ", "muted"),
        Segment(clean(record.who), agent_style(record.who)),
        Segment(f"  {clock(record.at)}", "muted"),
        Segment(f"  {record.note}" if record.note else "", "key"),
    )
    indent = " " * (len(lead) + 2)
    room = max(1, columns - len(indent))
    return [head, *((Segment(indent), *given) for given in markdown(record.text, room))]


def _event(record: Record, columns: int) -> list[Line]:
    lead = f"{clock(record.at)} {record.key:>6} "
    who = f"{clean(record.who)} " if record.who else ""
    room = max(1, columns - len(lead) - len(record.note) - len(who) - 2)
    bad = any(word in record.note for word in ("fail", "lost", "reject", "stuck", "exhausted"))
    return [
        line(
            Segment(lead, "muted"),
            Segment(f"{record.note} ", "bad" if bad else "key"),
            Segment(who, "agent.worker"),
            Segment(cut(clean(record.text[:2000]), room), "muted"),
        )
    ]


def _file(record: Record, columns: int) -> list[Line]:
    return [(), line(Segment(cut(clean(f"{record.who}: {record.text}"), columns), "title"))]


def _raw(record: Record, columns: int) -> list[Line]:
    return [line(part) for part in wrap(record.text[:2000], columns)]


def _more(record: Record, columns: int) -> list[Line]:
    return [line(Segment(cut(clean(record.text), columns), "muted"))]


def _other(record: Record, columns: int) -> list[Line]:
    return [] if record.kind == "session" else _text(record, columns)


_DRAW: Final[dict[str, Callable[[Record, int], list[Line]]]] = {
    "incoming": _incoming,
    "text": _text,
    "tool": _tool,
    "result-of-tool": _tool_result,
    "told-tool": _told_tool,
    "told-result": _told_result,
    "error": _error,
    "turn": _turn,
    "usage": _usage,
    "notice": _notice,
    "message": _message,
    "post": _post,
    "answer": _answer,
    "event": _event,
    "file": _file,
    "more": _more,
    "raw": _raw,
}
_WHOLE: Final[dict[str, Callable[[Record, int], list[Line]]]] = {
    "tool": _whole_tool,
    "result-of-tool": _whole_result,
    "told-tool": _whole_told_tool,
    "told-result": _whole_result,
}
