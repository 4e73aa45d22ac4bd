"""A frame as an SVG, by Rich's own export."""

from __future__ import annotations

import io

from rich.console import Console
from rich.terminal_theme import DEFAULT_TERMINAL_THEME, MONOKAI
from rich.text import Text

from perles.config.theme import Theme
from perles.dashboard.terminal.paint import Painter
from perles.dashboard.terminal.segments import Frame
from perles.domain.text import clean


def svg(frame: Frame, size: tuple[int, int], theme: Theme) -> str:
    """The picture of a frame of this size, as a terminal of the theme's kind would show it."""
    console = Console(
        width=size[0],
        height=size[1],
        record=True,
        file=io.StringIO(),
        force_terminal=True,
        color_system="truecolor",
    )
    painter = Painter("true", theme)
    for given in frame.lines:
        text = Text(no_wrap=True, overflow="crop")
        for segment, style in given:
            text.append(clean(segment), painter.style(style))
        console.print(text)
    colours = DEFAULT_TERMINAL_THEME if theme.preset == "light" else MONOKAI
    return console.export_svg(title="perles dashboard", theme=colours)
