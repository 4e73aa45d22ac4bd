"""Texts that several keys take: names, keys of tasks, commands, prompts."""

from collections.abc import Collection
from typing import Final

from perles.config.yamlfile import Node
from perles.domain.patterns import lazy_pattern
from perles.domain.plain import is_one_line

KEY: Final = lazy_pattern(r"[a-z0-9][a-z0-9_-]*")
NAME: Final = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")
"""Of a value: a parameter, an axis of a matrix."""
MAX_TEXT: Final = 200
MAX_COMMANDS: Final = 1000


def is_key(text: str) -> bool:
    """Whether a text can be a task's key as it is."""
    return KEY.fullmatch(text) is not None and len(text) <= MAX_TEXT


def free_key(base: str, taken: Collection[str]) -> str:
    """The key, with a number where another task has it."""
    key, number = base, 2
    while key in taken:
        key, number = f"{base}-{number}", number + 1
    return key


def check_name(name: str, node: Node) -> None:
    """Raise `UsageError` where a value cannot be called so."""
    if not NAME.fullmatch(name):
        raise node.error(f"{name[:60]!r} is no name; use letters, digits, - and _, no digit first")


def one_or_more(node: Node) -> list[Node]:
    """The entries of a list; one alone may stand without brackets."""
    return node.items() if isinstance(node.value, list) else [node]


def task_key(node: Node) -> str:
    """A task's key: it stands in commands, so it is plain."""
    key = node.text()
    if not is_key(key):
        raise node.error(
            f"{key[:60]!r}{'…' if key[60:] else ''} is not a valid key; use lower-case letters, "
            f"digits, - and _, a letter or digit first, at most {MAX_TEXT} characters"
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
    items = one_or_more(node)
    if not items or len(items) > MAX_COMMANDS:
        raise node.error(f"needs 1 to {MAX_COMMANDS} commands")
    return [command(item) for item in items]


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
