"""Command lines of the commands that are used often, read without Typer.

Only plain known flags are understood; a test compares each with what Typer makes of it.
"""

from collections.abc import Sequence
from typing import Any, Final

_OF_SPEC: Final[dict[str, type]] = {
    "--name": str,
    "--arg": tuple,
    "--label": tuple,
    "--priority": str,
    "--workers": int,
    "--work-dir": str,
    "--token-budget": int,
    "--cost-budget": float,
    "--coordinator": str,
    "--worker": str,
    "--worktree": bool,
    "--no-worktree": bool,
    "--base": str,
    "--branch": str,
    "--from": tuple,
    "--skip": tuple,
    "--on": tuple,
    "--command-words": str,
    "--json": bool,
}
"""Flags that say how a workflow is to be."""
_FLAGS: Final[dict[str, dict[str, type]]] = {
    "create": _OF_SPEC,
    "run": _OF_SPEC | {"--detach": bool, "-d": bool, "--dry-run": bool},
    "list": {
        "--state": str,
        "--label": tuple,
        "--template": str,
        "--priority": str,
        "--name": str,
        "--filter": str,
        "--sort": str,
        "--since": str,
        "--until": str,
        "--columns": str,
        "--no-header": bool,
        "--quiet": bool,
        "--limit": int,
        "--all": bool,
        "--json": bool,
    },
    "show": {"--json": bool, "--summary": bool, "--env": bool, "--all": bool},
    "resources": {"--json": bool},
    "dashboard": {
        "--once": bool,
        "--width": int,
        "--height": int,
        "--no-color": bool,
        "--svg": str,
        "--show": str,
        "--no-engine": bool,
        "--theme": str,
    },
    "events": {
        "--type": tuple,
        "--since": str,
        "--limit": int,
        "--follow": bool,
        "--json": bool,
    },
}
_WORDS: Final = {"show": (1, 1), "events": (0, 1), "create": (0, 1000), "run": (0, 1000)}
"""How many words may stand beside the flags; none for others."""
_CALLED: Final[dict[str, tuple[str, Any]]] = {
    "--from": ("begin", ()),
    "--command-words": ("words", None),
    "--no-worktree": ("worktree", False),
    "-d": ("detach", True),
}
"""Options that are not called as their flag is, with the value of a flag that takes none."""


def parse(argv: Sequence[str]) -> dict[str, Any] | None:
    """The options of a command, or None for what only the ordinary way understands."""
    if not argv or argv[0] not in _FLAGS:
        return None
    if "--" in argv and argv[0] in ("create", "run"):
        from perles.cli.one_command import rewritten

        argv = rewritten(argv)
    flags = _FLAGS[argv[0]]
    options: dict[str, Any] = {}
    words: list[str] = []
    rest = iter(argv[1:])
    for word in rest:
        if not word.startswith("-"):
            words.append(word)
            continue
        name, equals, value = word.partition("=")
        kind = flags.get(name)
        if kind is None or (kind is bool and equals):
            return None
        if kind is not bool and not equals:
            value = next(rest, "-")
            if value.startswith("-"):
                return None
        if not _take(options, name, kind, value):
            return None
    fewest, most = _WORDS.get(argv[0], (0, 0))
    if not fewest <= len(words) <= most:
        return None
    if argv[0] in ("create", "run"):
        return options | ({"target": words[0], "tasks": tuple(words[1:])} if words else {})
    return options | ({"id": words[0]} if words else {})


def _take(options: dict[str, Any], flag: str, kind: type, value: str) -> bool:
    """Put one flag into the options; whether its value is of its kind."""
    name, set_to = _CALLED.get(flag, (flag[2:].replace("-", "_"), True))
    if kind is bool:
        options[name] = set_to
    elif kind is tuple:
        options[name] = (*options.get(name, ()), value)
    elif kind in (int, float):
        digits = value.replace(".", "", 1) if kind is float else value
        if not (digits.isascii() and digits.isdigit() and len(value) < 1000):
            return False
        options[name] = kind(value)
    else:
        options[name] = value
    return True
