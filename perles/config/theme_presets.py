"""Presets with the names that the original has, in the colours of the palettes that they name."""

from collections.abc import Mapping
from typing import Final


def _preset(
    *,
    text: tuple[str, str, str],
    border: tuple[str, str],
    status: tuple[str, str, str],
    background: str,
    agents: tuple[str, str, str, str],
    states: tuple[str, str, str, str],
) -> Mapping[str, str]:
    """Every token out of: three texts, two borders, good, doubtful and bad, and so on."""
    good, doubtful, bad = status
    pending, running, paused, stopped = states
    return {
        **dict(zip(("text.primary", "text.secondary", "text.muted"), text, strict=True)),
        "border.default": border[0],
        "border.focus": border[1],
        "border.highlight": border[1],
        "status.success": good,
        "status.warning": doubtful,
        "status.error": bad,
        "selection.indicator": doubtful,
        "selection.background": background,
        **{
            f"agent.{role}": colour
            for role, colour in zip(
                ("coordinator", "worker", "observer", "user"), agents, strict=True
            )
        },
        "state.pending": pending,
        "state.running": running,
        "state.paused": paused,
        "state.completed": good,
        "state.failed": bad,
        "state.stopped": stopped,
    }


NAMED: Final[Mapping[str, Mapping[str, str]]] = {
    "dracula": _preset(
        text=("#f8f8f2", "#e0e0ea", "#8a97c4"),
        border=("#6272a4", "#bd93f9"),
        status=("#50fa7b", "#f1fa8c", "#ff5555"),
        background="#44475a",
        agents=("#8be9fd", "#50fa7b", "#bd93f9", "#ffb86c"),
        states=("#a4abcc", "#8be9fd", "#f1fa8c", "#ff79c6"),
    ),
    "nord": _preset(
        text=("#eceff4", "#d8dee9", "#8f9bb3"),
        border=("#616e88", "#88c0d0"),
        status=("#a3be8c", "#ebcb8b", "#d57780"),
        background="#434c5e",
        agents=("#8fbcbb", "#a3be8c", "#b48ead", "#d08770"),
        states=("#a5afc0", "#88c0d0", "#ebcb8b", "#b48ead"),
    ),
    "gruvbox": _preset(
        text=("#ebdbb2", "#d5c4a1", "#a89984"),
        border=("#7c6f64", "#83a598"),
        status=("#b8bb26", "#fabd2f", "#fb4934"),
        background="#504945",
        agents=("#8ec07c", "#b8bb26", "#d3869b", "#fe8019"),
        states=("#a89984", "#83a598", "#fabd2f", "#d3869b"),
    ),
    "catppuccin-mocha": _preset(
        text=("#cdd6f4", "#bac2de", "#9399b2"),
        border=("#6c7086", "#89b4fa"),
        status=("#a6e3a1", "#f9e2af", "#f38ba8"),
        background="#45475a",
        agents=("#94e2d5", "#a6e3a1", "#cba6f7", "#fab387"),
        states=("#a6adc8", "#89dceb", "#f9e2af", "#cba6f7"),
    ),
    "catppuccin-latte": _preset(
        text=("#4c4f69", "#5c5f77", "#6c6f85"),
        border=("#9ca0b0", "#1e66f5"),
        status=("#2f7d1f", "#9a5d00", "#d20f39"),
        background="#ccd0da",
        agents=("#137377", "#2f7d1f", "#8839ef", "#c24400"),
        states=("#6c6f85", "#0377a8", "#8a5a00", "#8839ef"),
    ),
}
