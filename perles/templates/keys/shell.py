"""The keys that say what reads a command's script: shell, strict."""

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

from perles.config.yamlfile import Node
from perles.domain.execution import PLAIN_SH, Language, language, named_by
from perles.templates.keys.key import ALL, TASKS, Defaults, Entries, Family, Key
from perles.templates.keys.shapes import WORDS, YES_OR_NO, either, items
from perles.templates.keys.texts import commands

_NAMED: Final[Mapping[str, tuple[str, ...]]] = {
    "sh": PLAIN_SH,
    "bash": ("bash", "-eo", "pipefail"),
    "python": ("python",),
}
MAX_WORDS: Final = 50


def _defaults(entries: Entries) -> Mapping[str, Any]:
    shell = _shell(entries["shell"]) if "shell" in entries else ()
    strict = entries["strict"].boolean() if "strict" in entries else False
    if strict and shell and language(shell) is not Language.SHELL:
        raise entries["strict"].error("is for sh and bash")
    return {"shell": shell, "strict": strict}


def _execution(entries: Entries, above: Defaults) -> Mapping[str, Any]:
    """What a script's own first line names goes before what the file says, and what the task
    itself says before both. A check of an agent's task is read as a script without a name is."""
    if "run" in entries:
        tty = entries["tty"].boolean() if "tty" in entries else False
        return {"program": _program(entries, above), "tty": tty}
    return {"program": best() if "check" in entries else PLAIN_SH}


def script(node: Node, program: tuple[str, ...]) -> str:
    """The script of a command, or of those in a list, of which the first that fails ends it."""
    found = commands(node)
    if len(found) > 1 and program == PLAIN_SH:  # it would go on after a command that failed
        found = [f"{{ {one}\n}} || exit $?" for one in found]
    return "\n".join(found)


def _program(entries: Entries, above: Defaults) -> tuple[str, ...]:
    text = "\n".join(commands(entries["run"]))
    strict = entries["strict"].boolean() if "strict" in entries else above.strict
    if "shell" in entries:
        shell = _shell(entries["shell"])
    else:
        shell = named_by(text)
        if shell:
            strict = strict and "strict" in entries
        shell = shell or above.shell or best()
    if not strict:
        return shell
    if language(shell) is not Language.SHELL:
        if "strict" in entries:
            raise entries["strict"].error("is for sh and bash")
        return shell
    return (*shell, "-u")


def best() -> tuple[str, ...]:
    """What runs a script where nobody says: the first command that fails ends it."""
    # `shutil.which` would import three packers with it, for one question; `find_executable` of
    # the agents is in a room above this one, and refuses where here it is just looked.
    folders = os.environ.get("PATH", os.defpath).split(os.pathsep)
    has_bash = any(_is_program(os.path.join(folder, "bash")) for folder in folders if folder)
    return _NAMED["bash"] if has_bash else ("sh", "-e")


def _is_program(path: str) -> bool:
    return os.access(path, os.X_OK) and Path(path).is_file()


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


FAMILY: Final = Family(
    name="shell",
    title="Shells and interpreters",
    execution=_execution,
    defaults=_defaults,
    keys=(
        Key(
            name="shell",
            at=ALL,
            commands_only=True,
            schema=either({"enum": sorted(_NAMED)}, items(WORDS, 1, MAX_WORDS)),
            doc="`sh`, `bash`, `python`, or a program with its arguments. The default is `bash "
            "-eo pipefail`, or `sh -e` where bash is missing. `sh` has no flags: it "
            "continues after a failed command.",
            example="- {key: count, shell: python, run: print(6 * 7)}",
        ),
        Key(
            name="strict",
            at=ALL,
            commands_only=True,
            schema=YES_OR_NO,
            doc="`true`: an unset variable is an error, too (`-u`).",
            example="- {key: deploy, strict: true, run: ./deploy.sh}",
        ),
        Key(
            name="tty",
            at=TASKS,
            schema=YES_OR_NO,
            doc="`true`: the command runs in a terminal (a pty, 80 x 24), for programs that "
            "show colours or progress only there. It gets no input.",
            example="- {key: unit, tty: true, run: pytest --color=auto}",
            commands_only=True,
        ),
    ),
)
