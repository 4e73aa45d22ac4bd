"""The keys that say how a command is run, for a file and for one task: shell, strict.

What else belongs to it, how long and how often, is read by `tries`.
"""

import os
import shutil
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

from perles.config.yamlfile import Node
from perles.domain.execution import PLAIN_SH, Execution, Language, language, named_by
from perles.templates import checks, surroundings, tries

KEYS: Final = ("shell", "strict", *surroundings.KEYS)
_NAMED: Final[Mapping[str, tuple[str, ...]]] = {
    "sh": PLAIN_SH,
    "bash": ("bash", "-eo", "pipefail"),
    "python": ("python",),
}
MAX_WORDS: Final = 50


class Defaults(NamedTuple):
    """What a file says for all of its tasks; `shell` is () where it does not say."""

    shell: tuple[str, ...] = ()
    strict: bool = False
    dir: str = ""
    dotenv: tuple[tuple[str, str], ...] = ()
    unset: tuple[str, ...] = ()
    secrets: Mapping[str, Any] = MappingProxyType({})


def defaults(entries: Mapping[str, Node]) -> Defaults:
    """What the top of a file says. Raises `UsageError` that names file, line and key."""
    shell = _shell(entries["shell"]) if "shell" in entries else ()
    strict = entries["strict"].boolean() if "strict" in entries else False
    if strict and shell and language(shell) is not Language.SHELL:
        raise entries["strict"].error("is for sh and bash")
    return Defaults(shell, strict, *_surroundings(entries), _secrets(entries))


def _secrets(entries: Mapping[str, Node]) -> Mapping[str, Any]:
    return surroundings.secrets(entries["secrets"]) if "secrets" in entries else {}


def _surroundings(
    entries: Mapping[str, Node],
) -> tuple[str, tuple[tuple[str, str], ...], tuple[str, ...]]:
    return (
        surroundings.folder(entries["dir"]) if "dir" in entries else "",
        surroundings.files(entries["dotenv"]) if "dotenv" in entries else (),
        surroundings.names(entries["unset"]) if "unset" in entries else (),
    )


def execution(entries: Mapping[str, Node], above: Defaults) -> Execution:
    """How one task is run. Raises `UsageError` that names file, line and key.

    What a script's own first line names goes before what the file says, and what the task itself
    says before both.
    """
    retry, grace, check = tries.retry(entries), tries.grace(entries), checks.check(entries)
    if "run" not in entries:
        for key in KEYS:
            if key in entries:
                raise entries[key].error("is for commands; this task has no run")
        return Execution(program=_best() if check else PLAIN_SH, retry=retry, check=check)
    folder, files, unset = _surroundings(entries)
    places = dict((*above.dotenv, *files))
    return Execution(
        program=_program(entries, above),
        grace=grace,
        retry=retry,
        dir=folder or above.dir,
        dotenv=tuple(places),
        unset=tuple(dict.fromkeys((*above.unset, *unset))),
        places=places,
        secrets={**above.secrets, **_secrets(entries)},
    )


def _program(entries: Mapping[str, Node], above: Defaults) -> tuple[str, ...]:
    script = entries["run"].text()
    strict = entries["strict"].boolean() if "strict" in entries else above.strict
    if "shell" in entries:
        shell = _shell(entries["shell"])
    else:
        shell = named_by(script)
        if shell:
            strict = strict and "strict" in entries
        shell = shell or above.shell or _best()
    if not strict:
        return shell
    if language(shell) is not Language.SHELL:
        if "strict" in entries:
            raise entries["strict"].error("is for sh and bash")
        return shell
    return (*shell, "-u")


def _best() -> tuple[str, ...]:
    """What runs a script where nobody says: the first command that fails ends it."""
    found = shutil.which("bash", path=os.environ.get("PATH", os.defpath))
    return _NAMED["bash"] if found else ("sh", "-e")


def _shell(node: Node) -> tuple[str, ...]:
    """A word that is known, or a program with its arguments."""
    if not isinstance(node.value, list):
        return _NAMED[node.word(_NAMED)]
    words = tuple(word.text() for word in node.items())
    if not words or not words[0].strip():
        raise node.error("is empty; name a program, such as [node] or [bash, -eux]")
    if len(words) > MAX_WORDS:
        raise node.error(f"{len(words)} words are too many; {MAX_WORDS} at most")
    return words
