"""Words of one party inside a text of another: told apart line by line.

Whatever a quoted text holds, none of its lines can pass for one that stands outside of the quotes.
"""

from typing import Final

MARK: Final = ">"
"""What each quoted line begins with; no line of ours does."""


def quoted(text: str) -> str:
    """`text` with each of its lines behind `> `, whichever characters end them; `>` for nothing."""
    return "\n".join(f"{MARK} {line}".rstrip() for line in text.splitlines()) or MARK


def in_line(text: str) -> str:
    """`text` on one line: every run of blanks and line ends becomes one blank."""
    return " ".join(text.split())
