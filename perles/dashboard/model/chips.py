"""States as chips: a key for each, which filters the table by it."""

from __future__ import annotations

from typing import Final

STATES: Final = ("running", "pending", "paused", "failed", "completed", "stopped")
"""The states of workflows, in the order of the keys 1 to 6."""


def toggled(text: str, state: str) -> str:
    """The filter that shows this state alone; without it, where that is what it shows."""
    rest = [word for word in text.split(" ") if word and not word.startswith("state:")]
    return " ".join(rest if is_on(text, state) else [f"state:{state}", *rest])


def is_on(text: str, state: str) -> bool:
    """Whether a filter shows this state alone."""
    return [word for word in text.split(" ") if word.startswith("state:")] == [f"state:{state}"]
