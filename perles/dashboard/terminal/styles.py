"""What the names of styles in frames mean, in a theme."""

from __future__ import annotations

from perles.config.theme import Theme


def styles(theme: Theme) -> dict[str, str]:
    """Rich's style words for each name that frames use."""
    tokens = theme.tokens()
    found = {name: colour for name, colour in tokens.items() if name != "selection.background"}
    found |= {
        "": tokens["text.primary"],
        "muted": tokens["text.muted"],
        "bold": f"bold {tokens['text.primary']}",
        "title": f"bold {tokens['border.highlight']}",
        "border": tokens["border.default"],
        "focus": tokens["border.focus"],
        "good": tokens["status.success"],
        "warn": f"bold {tokens['status.warning']}",
        "bad": f"bold {tokens['status.error']}",
        "mark": f"bold {tokens['selection.indicator']}",
        "key": f"bold {tokens['text.primary']}",
        "reverse": "reverse",
        "code": tokens["status.warning"],
    }
    return found


def selection(theme: Theme) -> str:
    """Rich's style words for the background of the row that is selected."""
    return f"on {theme.tokens()['selection.background']}"
