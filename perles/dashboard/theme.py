"""Colours by the names of the original's tokens, for dark and light terminals."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

DARK: Final = {
    "text.primary": "#cccccc",
    "text.secondary": "#bbbbbb",
    "text.muted": "#8a8a8a",
    "border.default": "#696969",
    "border.highlight": "#54a0ff",
    "status.success": "#73f59f",
    "status.warning": "#fecA57",
    "status.error": "#ff8787",
    "selection.background": "#1a5276",
    "agent.coordinator": "#2fc4b8",
    "agent.worker": "#43bf6d",
    "agent.observer": "#a066d3",
    "agent.user": "#fb923c",
    "state.pending": "#a0a0a0",
    "state.running": "#00bfff",
    "state.paused": "#ffd93d",
    "state.completed": "#73f59f",
    "state.failed": "#ff8787",
    "state.stopped": "#d08cff",
}
LIGHT: Final = {
    "text.primary": "#303030",
    "text.secondary": "#444444",
    "text.muted": "#6c6c6c",
    "border.default": "#a0a0a0",
    "border.highlight": "#1d5fbf",
    "status.success": "#117a3d",
    "status.warning": "#8a5a00",
    "status.error": "#b3261e",
    "selection.background": "#cfe3f7",
    "agent.coordinator": "#0b6e66",
    "agent.worker": "#1d7a3e",
    "agent.observer": "#6a35a0",
    "agent.user": "#a84a00",
    "state.pending": "#6c6c6c",
    "state.running": "#0a6a9f",
    "state.paused": "#8a6a00",
    "state.completed": "#117a3d",
    "state.failed": "#b3261e",
    "state.stopped": "#7a3aa8",
}
HIGH_CONTRAST: Final = {
    **dict.fromkeys(DARK, "bright_white"),
    "border.highlight": "bright_cyan",
    "status.success": "bright_green",
    "status.warning": "bright_yellow",
    "status.error": "bright_red",
    "selection.background": "blue",
    "state.running": "bright_cyan",
    "state.paused": "bright_yellow",
    "state.completed": "bright_green",
    "state.failed": "bright_red",
    "state.stopped": "bright_magenta",
}
THEMES: Final[Mapping[str, Mapping[str, str]]] = {
    "dark": DARK,
    "light": LIGHT,
    "high-contrast": HIGH_CONTRAST,
}


def styles(theme: str) -> dict[str, str]:
    """Rich's style words for each name that frames use; an unknown theme is the dark one."""
    tokens = THEMES.get(theme, DARK)
    found = {name: colour for name, colour in tokens.items() if name != "selection.background"}
    found |= {
        "": tokens["text.primary"],
        "muted": tokens["text.muted"],
        "bold": f"bold {tokens['text.primary']}",
        "title": f"bold {tokens['border.highlight']}",
        "border": tokens["border.default"],
        "focus": tokens["border.highlight"],
        "good": tokens["status.success"],
        "warn": f"bold {tokens['status.warning']}",
        "bad": f"bold {tokens['status.error']}",
        "key": f"bold {tokens['text.primary']}",
        "reverse": "reverse",
        "code": tokens["status.warning"],
    }
    return found


def selection(theme: str) -> str:
    """Rich's style words for the background of the row that is selected."""
    return f"on {THEMES.get(theme, DARK)['selection.background']}"
