"""Printing: tables for people on a terminal, plain aligned text in a pipe, JSON for programs."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, Final

from perles.domain.duration import span
from perles.domain.patterns import lazy_pattern
from perles.domain.text import clean, cut, folded, pad, width

if TYPE_CHECKING:
    from perles.controlplane.outcomes import Outcome

STATE_STYLES: Final = {
    "pending": "dim",
    "running": "green",
    "paused": "yellow",
    "completed": "blue",
    "failed": "bold red",
    "stopped": "magenta",
}
MAX_CELL: Final = 60
FOLD_LEAST: Final = 20
"""Columns that a line which is broken between words has at least."""
SOFT_LEAST: Final = 16
"""Columns that a cell which may be cut keeps, as long as others can be left out instead."""


_UNSAFE: Final = lazy_pattern(
    "[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ud800-\udfff]"
)
"""What JSON leaves as it is and a terminal, or a reader of lines, does not: it is escaped, too."""
_ONE_LINE: Final = json.JSONEncoder(ensure_ascii=False)
_INDENTED: Final = json.JSONEncoder(ensure_ascii=False, indent=2)


def say(text: str) -> None:
    """A line on standard output, cleaned."""
    print(clean(text, lines=True))


def warn(text: str) -> None:
    """A line on standard error, cleaned."""
    print(clean(text), file=sys.stderr)


def print_json(value: Any, *, line: bool = False) -> None:
    """JSON on standard output: indented, or as one line."""
    print_line(json_text(value, line=line), flush=line)


def json_text(value: Any, *, line: bool = False) -> str:
    """A value as JSON that is safe to print."""
    plain = (_ONE_LINE if line else _INDENTED).encode(value)
    return _UNSAFE.sub(lambda found: f"\\u{ord(found[0]):04x}", plain)


def print_line(text: str, *, flush: bool = True) -> None:
    """A line that was cleaned: one write, also where output is not buffered."""
    print(f"{text}\n", end="", flush=flush)


def tell(text: str, *, lead: str = "", hang: int = 0) -> None:
    """A long text on standard output, cleaned, each of its lines behind `lead`.

    A terminal gets lines that are broken between words; `hang` is as for `folded`.
    """
    room = max(_columns() - width(lead), FOLD_LEAST) if on_terminal() else sys.maxsize
    for line in clean(text, lines=True).split("\n"):
        item = 2 if line.lstrip().startswith(("- ", "> ")) else 0
        for part in folded(line, room, hang=hang + item):
            print_line(lead + part, flush=False)
    sys.stdout.flush()


def _columns() -> int:
    told = os.environ.get("COLUMNS", "")
    return int(told) if told.isdecimal() else os.get_terminal_size(sys.stdout.fileno()).columns


def print_outcome(outcome: Outcome, as_json: bool, **about: str) -> None:
    """What became of a command: in words, or as JSON with what else is told of it."""
    if as_json:
        print_json({"id": outcome.workflow_id, "status": outcome.status, **about}, line=True)
    else:
        say(outcome.text)


def print_table(
    headers: Sequence[str],
    rows: Iterable[Sequence[str]],
    *,
    state: int = -1,
    soft: Sequence[str] = ("NAME", "NOTE", "DESCRIPTION"),
    spare: Sequence[str] = (),
    plain: bool = False,
    head: bool = True,
) -> None:
    """A table; `state` is the column whose words have colours on a terminal.

    Where a terminal is too narrow, the `spare` columns are left out, the first of
    them first, and then the `soft` ones are cut; no other ever is. `plain` is text alone;
    without `head` there is no line of headers.
    """
    cells = [[clean(cell) for cell in row] for row in rows]
    if on_terminal() and not plain:
        _rich_table(headers, cells, state, soft, spare, head)
        return
    for line in plain_lines(headers, cells, soft)[0 if head else 1 :]:
        print(line)


def on_terminal() -> bool:
    """Whether a person looks at standard output."""
    return sys.stdout.isatty() and os.environ.get("TERM") != "dumb"


def plain_lines(
    headers: Sequence[str], rows: list[list[str]], soft: Sequence[str] = ()
) -> list[str]:
    """A table as aligned text, two blanks between columns; cleaned cells are expected."""
    rows = [
        [
            cut(cell, MAX_CELL) if header in soft else cell
            for header, cell in zip(headers, row, strict=True)
        ]
        for row in rows
    ]
    table = [list(headers), *rows]
    widths = [max(width(row[index]) for row in table) for index in range(len(headers))]
    return [
        "  ".join(pad(cell, columns) for cell, columns in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def _rich_table(
    headers: Sequence[str],
    rows: list[list[str]],
    state: int,
    soft: Sequence[str],
    spare: Sequence[str],
    head: bool,
) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(highlight=False)
    widths = [max(map(width, column)) for column in zip(headers, *rows, strict=True)]
    shown = _fitting(headers, widths, console.width, soft, spare)
    table = Table(box=None, pad_edge=False, header_style="bold", show_header=head)
    room = _room(headers, widths, shown, console.width, soft)
    for index in shown:
        table.add_column(headers[index], overflow="ellipsis", no_wrap=True, width=room[index])
    for row in rows:
        texts = [Text(cell) for cell in row]  # Text, never str: cells hold no markup
        if state >= 0:
            texts[state].stylize(STATE_STYLES.get(row[state], ""))
        table.add_row(*(texts[index] for index in shown))
    console.print(table)


def _fitting(
    headers: Sequence[str],
    widths: Sequence[int],
    columns: int,
    soft: Sequence[str],
    spare: Sequence[str],
) -> list[int]:
    """The indexes of the columns to show, so that soft ones keep `SOFT_LEAST` columns each."""
    shown = list(range(len(headers)))
    for name in (*spare, None):
        needed = sum(
            2 + (min(widths[i], SOFT_LEAST) if headers[i] in soft else widths[i]) for i in shown
        )
        if name is None or needed <= columns:
            break
        shown.remove(headers.index(name))
    return shown


def _room(
    headers: Sequence[str],
    widths: Sequence[int],
    shown: Sequence[int],
    columns: int,
    soft: Sequence[str],
) -> dict[int, int]:
    """How wide each column is: the soft ones share what the others leave, the narrow ones first."""
    room = {index: widths[index] for index in shown}
    yielding = sorted((i for i in shown if headers[i] in soft), key=lambda i: widths[i])
    left = columns + 2 - sum(2 + room[i] for i in shown if i not in yielding)
    for position, index in enumerate(yielding):
        share = left // (len(yielding) - position) - 2
        room[index] = max(1, min(widths[index], share))
        left -= room[index] + 2
    return room


def spent(row: Mapping[str, Any]) -> str:
    """`, 12,345 tokens, 0.12 USD`: what a workflow used; "" where that is nothing."""
    if not row["tokens_used"] and not row["cost_usd"]:
        return ""
    from perles.domain.money import in_words

    tokens = f", {row['tokens_used']:,} tokens" if row["tokens_used"] else ""
    return f"{tokens}, {in_words(row['cost_usd'], row['tokens_used'])}"


def between(start: str | None, end: str | None, now: datetime | None = None) -> float | None:
    """Seconds from one stored time to another, or to now; None when it has not begun."""
    if start is None:
        return None
    stop = datetime.fromisoformat(end) if end else (now or datetime.now(UTC))
    return max(0.0, (stop - datetime.fromisoformat(start)).total_seconds())


def age(moment: str | None) -> str:
    """How long ago a stored time was."""
    return "-" if moment is None else f"{span(between(moment, None))} ago"
