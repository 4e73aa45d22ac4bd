"""Going to anything by its name: what is typed, and what fits it."""

from __future__ import annotations

from dataclasses import field
from typing import Final, NamedTuple

from perles.dashboard.model import key_help
from perles.dashboard.model.editor import Editor
from perles.domain.records import dataclass

MOST: Final = 50
"""Targets that are offered."""
MOST_LETTERS: Final = 200
KINDS: Final = ("tab", "agent", "task", "channel", "workflow", "command", "setting")
"""In their order where they fit alike."""
_NO_COMMANDS: Final = ("j", "g", "PageUp", "Home", "1", "1-9", "Esc", "Enter", "Tab", ":", "q")


class Target(NamedTuple):
    """Something one can go to; `workflow_id` is the workflow that it is in, or "" for none.

    `key` is the key of a command.
    """

    kind: str
    name: str
    workflow_id: str = ""
    about: str = ""
    key: str = ""


@dataclass(frozen=True, slots=True)
class Jump:
    """What is typed, and which of the targets is selected."""

    text: Editor = field(default_factory=Editor)
    cursor: int = 0


def commands(screen: str) -> list[Target]:
    """The commands of a screen that one need not be at a row or a line for."""
    bindings = {"table": key_help.TABLE, "detail": key_help.DETAIL}.get(screen, ())
    found: list[tuple[str, str]] = []
    for one in bindings:
        found += zip(one.keys.split(), one.each or (one.text,), strict=False)
    return [
        Target("command", text, about=f"key {key}", key=" " if key == "Space" else key)
        for key, text in found
        if key not in _NO_COMMANDS and not key.startswith("Ctrl")
    ]


def chosen(jump: Jump, targets: tuple[Target, ...]) -> Target | None:
    """The target that is selected."""
    return targets[min(jump.cursor, len(targets) - 1)] if targets else None
