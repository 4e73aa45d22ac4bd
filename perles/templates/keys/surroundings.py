"""Where a command runs, and with which variables: dir, dotenv, unset, and `${VAR}` in env."""

import os
import re
from collections.abc import Mapping
from pathlib import PurePosixPath
from typing import Any, Final

from perles.config.yamlfile import Node
from perles.domain.patterns import lazy_pattern
from perles.templates.keys import texts
from perles.templates.keys.key import ALL, TASKS, At, Defaults, Entries, Family, Key
from perles.templates.keys.shapes import (
    DURATION,
    ENV_NAME,
    VARIABLES,
    WORDS,
    either,
    items,
    one_or_more,
    parts,
)

SECRET_SECONDS: Final = 30.0
MAX_SECRET_SECONDS: Final = 600.0
MAX_FILES: Final = 20
NAME: Final = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_]*")
_REFERENCE: Final = lazy_pattern(r"\$(\$\{)|\$\{([A-Za-z_][A-Za-z0-9_]*)(?::-([^}]*))?\}")


def expanded(node: Node, environ: Mapping[str, str] = os.environ) -> str:
    """A value with `${VAR}` of its reader filled in. Raises `UsageError` for one that is not set.

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
    items = texts.one_or_more(node)
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
        _check_variable(name, how)
        given = how.mapping(("command", "timeout"))
        if "command" not in given or not given["command"].text().strip():
            raise how.error("command is missing; give the command that prints the secret")
        seconds = given["timeout"].duration() if "timeout" in given else SECRET_SECONDS
        if not 0 < seconds <= MAX_SECRET_SECONDS:
            raise given["timeout"].error("must be above 0, at most 10m")
        found[name] = {"command": given["command"].text(), "timeout": seconds}
    return found


def names(node: Node) -> tuple[str, ...]:
    """Names of variables. Raises `UsageError`."""
    found = [item.text() for item in node.items()]
    for name in found:
        _check_variable(name, node)
    return tuple(dict.fromkeys(found))


def _check_variable(name: str, node: Node) -> None:
    if not NAME.fullmatch(name):
        raise node.error(f"{name[:60]!r} is no name of a variable")


def environment(node: Node) -> dict[str, str]:
    """Variables for commands. Names are plain; values are texts, with `${VAR}` filled in."""
    found = {}
    for name, value in node.mapping().items():
        _check_variable(name, value)
        found[name] = expanded(value)
        if "\0" in found[name]:
            raise value.error("contains a NUL character, which a command cannot take")
    return found


def _given(entries: Entries) -> dict[str, Any]:
    """What stands there of these keys."""
    readers = {
        "env": environment,
        "dir": folder,
        "dotenv": files,
        "unset": names,
        "secrets": secrets,
    }
    return {key: read(entries[key]) for key, read in readers.items() if key in entries}


def _task(entries: Entries, above: Defaults) -> Mapping[str, Any]:
    own = environment(entries["env"]) if "env" in entries else {}
    return {"env": {**above.env, **own} if "run" in entries else {}}


def _execution(entries: Entries, above: Defaults) -> Mapping[str, Any]:
    if "run" not in entries:
        return {}
    own = _given(entries)
    places = dict((*above.dotenv, *own.get("dotenv", ())))
    return {
        "dir": own.get("dir", "") or above.dir,
        "dotenv": tuple(places),
        "unset": tuple(dict.fromkeys((*above.unset, *own.get("unset", ())))),
        "places": places,
        "secrets": {**above.secrets, **own.get("secrets", {})},
    }


_SECRETS: Final = {
    "type": "object",
    "propertyNames": ENV_NAME,
    "additionalProperties": parts({"command": WORDS, "timeout": DURATION}, ("command",)),
}
FAMILY: Final = Family(
    name="surroundings",
    title="Folder and environment",
    task=_task,
    execution=_execution,
    defaults=_given,
    keys=(
        Key(
            name="env",
            at=At.FILE | TASKS,
            schema=VARIABLES,
            doc="Environment variables. `${VAR}` takes its value from the environment in which "
            "the workflow is created; `${VAR:-text}` has a default.",
            example='- {key: unit, run: pytest -q, env: {CI: "1", TOKENS: "${TOKENS:-none}"}}',
        ),
        Key(
            name="dir",
            at=ALL,
            commands_only=True,
            schema=WORDS,
            doc="The folder in which the command runs, below the work dir.",
            example="- {key: web, dir: web, run: npm test}",
        ),
        Key(
            name="dotenv",
            at=ALL,
            commands_only=True,
            schema=one_or_more(WORDS, MAX_FILES),
            doc="Files with variables. The task reads them when it starts.",
            example="- {key: serve, dotenv: [.env, .env.local], run: ./serve}",
        ),
        Key(
            name="unset",
            at=ALL,
            commands_only=True,
            schema=items(ENV_NAME),
            doc="Variables to remove from the command's environment.",
            example="- {key: clean, unset: [AWS_PROFILE], run: make clean}",
        ),
        Key(
            name="secrets",
            at=ALL,
            commands_only=True,
            schema=either(items(ENV_NAME), _SECRETS),
            doc="Secrets from the environment or from a command. The task reads them when it "
            "starts. They are never stored in the database, and masked in all output.",
            example="- key: upload\n  secrets: {TOKEN: {command: pass show pypi}}\n"
            '  run: twine upload -p "$TOKEN" dist/*',
        ),
    ),
)
