"""Printing: tables for people on a terminal, plain aligned text in a pipe, JSON for programs."""

import json
import os
import sys
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import Any, Final

from perles.cli.text import clean, cut, pad, width

STATE_STYLES: Final = {
    "pending": "dim",
    "running": "green",
    "paused": "yellow",
    "completed": "blue",
    "failed": "bold red",
    "stopped": "magenta",
}
MAX_CELL: Final = 60


def say(text: str) -> None:
    """A line on standard output, cleaned."""
    print(clean(text, lines=True))


def warn(text: str) -> None:
    """A line on standard error, cleaned."""
    print(clean(text), file=sys.stderr)


def print_json(value: Any, *, line: bool = False) -> None:
    """JSON on standard output: indented, or as one line."""
    print(json.dumps(value, ensure_ascii=False, indent=None if line else 2), flush=line)


def print_table(headers: Sequence[str], rows: Iterable[Sequence[str]], *, state: int = -1) -> None:
    """A table; `state` is the column whose words have colours on a terminal."""
    cells = [[clean(cell) for cell in row] for row in rows]
    if sys.stdout.isatty() and os.environ.get("TERM") != "dumb":
        _rich_table(headers, cells, state)
        return
    for line in plain_lines(headers, cells):
        print(line)


def plain_lines(headers: Sequence[str], rows: list[list[str]]) -> list[str]:
    """A table as aligned text, two blanks between columns; cleaned cells are expected."""
    table = [list(headers), *[[cut(cell, MAX_CELL) for cell in row] for row in rows]]
    widths = [max(width(row[index]) for row in table) for index in range(len(headers))]
    return [
        "  ".join(pad(cell, columns) for cell, columns in zip(row, widths, strict=True)).rstrip()
        for row in table
    ]


def _rich_table(headers: Sequence[str], rows: list[list[str]], state: int) -> None:
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    table = Table(box=None, pad_edge=False, header_style="bold")
    for header in headers:
        table.add_column(header, overflow="ellipsis", no_wrap=True)
    for row in rows:
        texts = [Text(cell) for cell in row]  # Text, never str: cells hold no markup
        if state >= 0:
            texts[state].stylize(STATE_STYLES.get(row[state], ""))
        table.add_row(*texts)
    Console(highlight=False).print(table)


def span(seconds: float | None) -> str:
    """`3m12s`, `4h05m`, `2d03h`; `-` for None."""
    if seconds is None:
        return "-"
    whole = int(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, second = divmod(whole, 60)
    if minutes < 60:
        return f"{minutes}m{second:02}s"
    hours, minute = divmod(minutes, 60)
    if hours < 24:
        return f"{hours}h{minute:02}m"
    days, hour = divmod(hours, 24)
    return f"{days}d{hour:02}h"


def between(start: str | None, end: str | None, now: datetime | None = None) -> float | None:
    """Seconds from one stored time to another, or to now; None when it has not begun."""
    if start is None:
        return None
    stop = datetime.fromisoformat(end) if end else (now or datetime.now(UTC))
    return max(0.0, (stop - datetime.fromisoformat(start)).total_seconds())


def age(moment: str | None) -> str:
    """How long ago a stored time was."""
    return "-" if moment is None else f"{span(between(moment, None))} ago"
