"""Frames made bytes: styles become colours, and only the lines that changed are sent.

This is the one door to the terminal. Every text passes `clean` here once more,
so no control byte but our own gets out, whatever a frame forgot.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import lru_cache
from typing import Final, Literal

from rich.color import ColorSystem
from rich.style import Style

from perles.config.theme import Theme
from perles.dashboard.terminal import styles as themes
from perles.dashboard.terminal.segments import Frame, Line
from perles.domain.text import clean

Colours = Literal["none", "16", "256", "true"]
_SYSTEMS: Final = {
    "16": ColorSystem.STANDARD,
    "256": ColorSystem.EIGHT_BIT,
    "true": ColorSystem.TRUECOLOR,
}
_BEGIN: Final = "\x1b[?2026h"
_END: Final = "\x1b[?2026l"


def colours_of(environ: Mapping[str, str]) -> Colours:
    """How many colours the terminal of this environment has."""
    if environ.get("NO_COLOR"):
        return "none"
    if environ.get("COLORTERM", "").lower() in ("truecolor", "24bit"):
        return "true"
    return "256" if "256" in environ.get("TERM", "") else "16"


class Painter:
    """Turns frames into what to write, remembering what is on the screen."""

    def __init__(self, colours: Colours, theme: Theme | None = None) -> None:
        self._colours = colours
        theme = theme or Theme()
        self._styles = {name: Style.parse(text) for name, text in themes.styles(theme).items()}
        self._selection = Style.parse(themes.selection(theme))
        self._shown: list[Line] = []
        self._bytes = lru_cache(maxsize=2048)(self._line)
        self._codes = lru_cache(maxsize=512)(self._code)

    def forget(self) -> None:
        """The screen holds nothing of ours any more: draw all of the next frame."""
        self._shown = []

    def style(self, name: str) -> Style:
        """The style that a segment's style name means."""
        base, _, flag = name.partition("|")
        found = self._styles.get(base)
        if found is None:
            found = Style.parse(base)
        return found + self._selection if flag else found

    def frame(self, frame: Frame) -> bytes:
        """What to write so that the screen shows this frame; nothing where it does already."""
        parts: list[str] = []
        if len(self._shown) != len(frame.lines):
            parts.append("\x1b[0m\x1b[2J")
            self._shown = []
        for row, given in enumerate(frame.lines):
            if row < len(self._shown) and self._shown[row] == given:
                continue
            parts.append(f"\x1b[{row + 1};1H{self._bytes(given)}")
        self._shown = list(frame.lines)
        if frame.cursor is None:
            parts.append("\x1b[?25l")
        else:
            x, y = frame.cursor
            parts.append(f"\x1b[{y + 1};{x + 1}H\x1b[?25h")
        return f"{_BEGIN}{''.join(parts)}{_END}".encode()

    def text(self, frame: Frame) -> str:
        """The frame as lines of text, coloured as this painter is."""
        return "".join(f"{self._bytes(given).rstrip()}\n" for given in frame.lines)

    def _line(self, given: Line) -> str:
        parts = []
        for text, style in given:
            before, after = self._codes(style)
            parts.append(f"{before}{clean(text)}{after}")
        return "".join(parts)

    def _code(self, name: str) -> tuple[str, str]:
        """What stands before and after a text in this style."""
        if self._colours == "none":
            return (
                ("\x1b[7m", "\x1b[0m") if name.endswith("|sel") or name == "reverse" else ("", "")
            )
        painted = self.style(name).render("\0", color_system=_SYSTEMS[self._colours])
        before, _, after = painted.partition("\0")
        return before, after
