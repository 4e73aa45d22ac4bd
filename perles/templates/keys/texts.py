"""Texts that several keys take: names, keys of tasks, commands, prompts."""

import re
from typing import Final

from perles.config.yamlfile import Node
from perles.domain.plain import is_one_line

KEY: Final = re.compile(r"[a-z0-9][a-z0-9_-]*")
MAX_TEXT: Final = 200
MAX_COMMANDS: Final = 1000


def task_key(node: Node) -> str:
    """A task's key: it stands in commands, so it is plain."""
    key = node.text()
    if not KEY.fullmatch(key) or len(key) > MAX_TEXT:
        raise node.error(
            f"{key[:60]!r}{'…' if key[60:] else ''} is not a valid key; use lower-case letters, "
            f"digits, - and _, a letter or digit first, at most {MAX_TEXT}"
        )
    return key


def short_text(node: Node) -> str:
    """A name of one line."""
    text = node.text().strip()
    if not text or len(text) > MAX_TEXT or not is_one_line(text):
        raise node.error(
            f"must be one line of 1 to {MAX_TEXT} characters, without control characters"
        )
    return text


def command(node: Node) -> str:
    """A shell command; not empty."""
    text = node.text()
    if not text.strip():
        raise node.error("is empty; give a shell command")
    return without_nul(node)


def commands(node: Node) -> list[str]:
    """A command, or those of a list, in order; none is empty."""
    if not isinstance(node.value, list):
        return [command(node)]
    if not node.value or len(node.value) > MAX_COMMANDS:
        raise node.error(f"needs 1 to {MAX_COMMANDS} commands")
    return [command(item) for item in node.value]


def prompt(node: Node) -> str:
    """A prompt; not empty."""
    text = node.text()
    if not text.strip():
        raise node.error("is empty; give the instructions for the agent")
    return text


def without_nul(node: Node) -> str:
    """A text that a command can be given."""
    text = node.text()
    if "\0" in text:
        raise node.error("contains a NUL character, which a command cannot take")
    return text
