"""Where a command runs, and with which variables: dir, dotenv, unset, and `${VAR}` in env."""

import os
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from perles.config.yamlfile import Node

KEYS: Final = ("dir", "dotenv", "unset", "secrets")
SECRET_SECONDS: Final = 30.0
MAX_SECRET_SECONDS: Final = 600.0
MAX_FILES: Final = 20
NAME: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE: Final = re.compile(r"\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def expanded(node: Node, environ: Mapping[str, str] = os.environ) -> str:
    """A value with `${VAR}` of whoever reads it. Raises `UsageError` for one that is not set.

    `${VAR:-text}` has a text for that case, and `$${` is a mere `${`.
    """

    def value(match: re.Match[str]) -> str:
        escaped, name, default = match.groups()
        if escaped:
            return "${"
        if name in environ:
            return environ[name]
        if default is None:
            raise node.error(
                f"{name} is not set here; set it, or write ${{{name}:-}} for nothing, "
                f"$${{{name}}} for the text itself"
            )
        return str(default)

    return _REFERENCE.sub(value, node.text())


def folder(node: Node) -> str:
    """A folder in the work dir, as its relative path. Raises `UsageError`."""
    text = node.text()
    path = PurePosixPath(text)
    if not text.strip() or path.is_absolute() or ".." in path.parts:
        raise node.error("must be a folder in the work dir, such as web or services/api")
    return str(path)


def files(node: Node) -> tuple[tuple[str, str], ...]:
    """Files of variables, each with the place that names it. Raises `UsageError`."""
    items = node.items() if isinstance(node.value, list) else [node]
    if len(items) > MAX_FILES:
        raise node.error(f"{len(items)} files are too many; {MAX_FILES} at most")
    for item in items:
        if not item.text().strip():
            raise item.error("is empty; name a file, such as .env")
    return tuple((item.text(), f"{item.where}: {item.key}") for item in items)


def secrets(node: Node) -> dict[str, dict[str, Any] | None]:
    """Names of secrets, each with the command that prints it, or None. Raises `UsageError`."""
    if isinstance(node.value, list):
        return dict.fromkeys(names(node))
    found: dict[str, dict[str, Any] | None] = {}
    for name, how in node.mapping().items():
        if not NAME.fullmatch(name):
            raise how.error(f"{name[:60]!r} is no name of a variable")
        parts = how.mapping(("command", "timeout"))
        if "command" not in parts or not parts["command"].text().strip():
            raise how.error("command is missing; say what prints the secret")
        seconds = parts["timeout"].duration() if "timeout" in parts else SECRET_SECONDS
        if not 0 < seconds <= MAX_SECRET_SECONDS:
            raise parts["timeout"].error("must be above 0, at most 10m")
        found[name] = {"command": parts["command"].text(), "timeout": seconds}
    return found


def names(node: Node) -> tuple[str, ...]:
    """Names of variables. Raises `UsageError`."""
    found = [item.text() for item in node.items()]
    for name in found:
        if not NAME.fullmatch(name):
            raise node.error(f"{name[:60]!r} is no name of a variable")
    return tuple(dict.fromkeys(found))
