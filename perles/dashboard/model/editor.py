"""A text that is being typed. Pure: an editor and a key make another editor."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from perles.dashboard.terminal.keys import Key
from perles.domain.records import dataclass
from perles.domain.text import clean

MAX_TEXT: Final = 64 * 1024
"""Characters that one field takes; a longer paste is cut there."""


@dataclass(frozen=True, slots=True)
class Editor:
    """A text and the place of the cursor in it. `full` tells that something was cut."""

    text: str = ""
    at: int = 0
    full: bool = False


def of(text: str) -> Editor:
    """An editor with this text, the cursor at its end."""
    return Editor(text, len(text))


def insert(editor: Editor, text: str, *, lines: bool) -> Editor:
    """Type or paste: control codes are dropped, line breaks too where there is only one line."""
    text = clean(text, lines=lines)
    room = max(0, MAX_TEXT - len(editor.text))
    kept = text[:room]
    whole = editor.text[: editor.at] + kept + editor.text[editor.at :]
    return Editor(whole, editor.at + len(kept), full=len(kept) < len(text))


def edit(editor: Editor, key: Key, *, lines: bool = False) -> Editor | None:
    """The editor after a key, or None for one that does not edit."""
    if key.text:
        return insert(editor, key.text, lines=lines)
    if lines and key.name in ("alt-enter", "ctrl-j"):
        return insert(editor, "\n", lines=True)
    moved = _moved(editor, key.name, lines)
    if moved is not None:
        return replace(editor, at=moved, full=False)
    return _deleted(editor, key.name)


def _moved(editor: Editor, name: str, lines: bool) -> int | None:
    text, at = editor.text, editor.at
    if name in ("left", "ctrl-b"):
        return max(0, at - 1)
    if name in ("right", "ctrl-f"):
        return min(len(text), at + 1)
    if name in ("home", "ctrl-a"):
        return _line_start(text, at)
    if name in ("end", "ctrl-e"):
        end = text.find("\n", at)
        return len(text) if end < 0 else end
    if lines and name in ("up", "down"):
        return _vertical(text, at, -1 if name == "up" else 1)
    if name in ("ctrl-left", "alt-b"):
        return _word_left(text, at)
    return None


def _deleted(editor: Editor, name: str) -> Editor | None:
    text, at = editor.text, editor.at
    if name == "backspace":
        return Editor(text[: max(0, at - 1)] + text[at:], max(0, at - 1))
    if name in ("delete", "ctrl-d"):
        return Editor(text[:at] + text[at + 1 :], at)
    if name == "ctrl-u":
        start = _line_start(text, at)
        return Editor(text[:start] + text[at:], start)
    if name == "ctrl-k":
        end = text.find("\n", at)
        return Editor(text[:at] + ("" if end < 0 else text[end:]), at)
    if name in ("ctrl-w", "alt-backspace"):
        start = _word_left(text, at)
        return Editor(text[:start] + text[at:], start)
    return None


def _line_start(text: str, at: int) -> int:
    return text.rfind("\n", 0, at) + 1


def _vertical(text: str, at: int, step: int) -> int | None:
    """The place one line up or down; None where there is no such line."""
    start = _line_start(text, at)
    column = at - start
    if step < 0:
        if start == 0:
            return None
        above = _line_start(text, start - 1)
        return min(above + column, start - 1)
    end = text.find("\n", at)
    if end < 0:
        return None
    after = text.find("\n", end + 1)
    return min(end + 1 + column, len(text) if after < 0 else after)


def _word_left(text: str, at: int) -> int:
    while at and text[at - 1].isspace():
        at -= 1
    while at and not text[at - 1].isspace():
        at -= 1
    return at
