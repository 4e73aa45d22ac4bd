"""Colours by name: presets for dark and light terminals, and what the configuration changes.

The names are those of the original's tokens, as far as there is something here that
they colour; its other names are accepted and colour nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import field
from typing import TYPE_CHECKING, Final

from perles.config.theme_presets import NAMED
from perles.domain.nearest import nearest
from perles.domain.patterns import lazy_pattern
from perles.domain.records import dataclass

if TYPE_CHECKING:
    from perles.config.yamlfile import Node

DARK: Final = {
    "text.primary": "#cccccc",
    "text.secondary": "#bbbbbb",
    "text.muted": "#8a8a8a",
    "border.default": "#696969",
    "border.focus": "#54a0ff",
    "border.highlight": "#54a0ff",
    "status.success": "#73f59f",
    "status.warning": "#feca57",
    "status.error": "#ff8787",
    "selection.indicator": "#feca57",
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
    "border.focus": "#1d5fbf",
    "border.highlight": "#1d5fbf",
    "status.success": "#117a3d",
    "status.warning": "#8a5a00",
    "status.error": "#b3261e",
    "selection.indicator": "#8a5a00",
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
    "border.focus": "bright_cyan",
    "border.highlight": "bright_cyan",
    "status.success": "bright_green",
    "status.warning": "bright_yellow",
    "status.error": "bright_red",
    "selection.indicator": "bright_yellow",
    "selection.background": "blue",
    "state.running": "bright_cyan",
    "state.paused": "bright_yellow",
    "state.completed": "bright_green",
    "state.failed": "bright_red",
    "state.stopped": "bright_magenta",
}
PRESETS: Final[Mapping[str, Mapping[str, str]]] = {
    "dark": DARK,
    "light": LIGHT,
    "high-contrast": HIGH_CONTRAST,
    **NAMED,
}
DEFAULT: Final = "default"
"""The original's name for its first preset: the dark one."""
_HUES: Final = ("black", "red", "green", "yellow", "blue", "magenta", "cyan", "white")
NAMES: Final = (*_HUES, *(f"bright_{hue}" for hue in _HUES))
"""The colours that a terminal knows by name."""
_HEX: Final = lazy_pattern(r"#(?:[0-9a-fA-F]{3}){1,2}")
_ELSEWHERE: Final = lazy_pattern(
    r"(?:button|form|overlay|toast|issue|priority|type|bql)\.[a-z_.]+"
    r"|spinner|text\.description|text\.placeholder"
)
"""Tokens of the original for what is not on these screens."""


@dataclass(frozen=True, slots=True)
class Theme:
    """A preset, and the colours that stand in for some of it."""

    preset: str = "dark"
    colors: Mapping[str, str] = field(default_factory=dict)

    def tokens(self) -> Mapping[str, str]:
        """The colour of every token."""
        return {**PRESETS[self.preset], **self.colors}


def read_preset(node: Node) -> str:
    """The name of a preset."""
    return "dark" if node.value == DEFAULT else node.word(PRESETS)


def read_colors(node: Node) -> dict[str, str]:
    """Colours by token, written `text.muted: "#888"`, or with the part before the dot above it."""
    return {name: _colour(found) for name, found in _tokens(node, "") if name in DARK}


def unused(node: Node) -> Iterator[tuple[str, Node]]:
    """The tokens of the original that colour nothing here."""
    return ((name, found) for name, found in _tokens(node, "") if name not in DARK)


def _tokens(node: Node, prefix: str) -> Iterator[tuple[str, Node]]:
    for name, found in node.mapping().items():
        token = f"{prefix}{name}"
        if isinstance(found.value, dict):
            yield from _tokens(found, f"{token}.")
        elif token in DARK or _ELSEWHERE.fullmatch(token):
            yield token, found
        else:
            hint = nearest(token, DARK) or f"; tokens are {', '.join(DARK)}"
            raise found.error(f"no token has this name{hint}")


def _colour(node: Node) -> str:
    if node.value is None:
        raise node.error('no colour; one with # stands in quotes: "#54a0ff"')
    text = node.text().strip()
    if text.lower() in NAMES:
        return text.lower()
    if not _HEX.fullmatch(text):
        hint = nearest(text.lower(), NAMES)
        raise node.error(
            f"{text[:40]!r} is not a colour{hint}; write #rrggbb, or a name such as bright_blue"
        )
    return (
        text.lower() if len(text) == 7 else "#" + "".join(digit * 2 for digit in text[1:]).lower()
    )
