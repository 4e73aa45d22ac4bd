"""How a task's command is run: the program that reads its script. No I/O."""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, Self

PLAIN_SH: Final = ("sh",)
"""What runs a script where nothing else was stored: sh without flags, which goes on after a
command that failed."""
_PYTHON: Final = re.compile(r"python[0-9.]*")
_SHELLS: Final = frozenset({"sh", "bash", "dash", "ash"})
_FLAG: Final = re.compile(r"-[aefuvxo]+|pipefail|errexit|nounset|xtrace|--norc|--noprofile|--posix")
"""What changes nothing about how a shell reads quotes and variables."""


class Language(StrEnum):
    """What a script is written in, as far as it is known."""

    SHELL = "shell"
    PYTHON = "python"
    OTHER = "other"


def language(program: Sequence[str]) -> Language:
    """What a program reads, by its name; `env NAME` is NAME."""
    words = list(program)
    if words and _base(words[0]) == "env":
        words = [word for part in words[1:] for word in part.split()]
        words = words[1:] if words[:1] == ["-S"] else words
    name = _base(words[0]) if words else ""
    if name in _SHELLS and all(_FLAG.fullmatch(word) for word in words[1:]):
        return Language.SHELL
    return Language.PYTHON if _PYTHON.fullmatch(name) else Language.OTHER


def named_by(script: str) -> tuple[str, ...]:
    """The program, and its one argument, that a first line `#!…` names; () where there is none."""
    first = script.partition("\n")[0]
    words = first[2:].strip().split(maxsplit=1) if first.startswith("#!") else []
    return tuple(word.strip() for word in words)


def _base(program: str) -> str:
    return program.rpartition("/")[2]


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """How the command of a task is run. `program`, with its flags, is given the
    script as a file."""

    program: tuple[str, ...] = PLAIN_SH

    @property
    def language(self) -> Language:
        """What the script is written in."""
        return language(self.program)

    def stored(self) -> dict[str, Any]:
        """As it is kept with the task: only what is not as it would be without."""
        return {} if self.program == PLAIN_SH else {"shell": list(self.program)}

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """What `stored` made."""
        return cls(program=tuple(stored.get("shell", PLAIN_SH)))
