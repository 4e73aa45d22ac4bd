"""How a task is carried out: what reads its script, and when it is tried again. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from typing import Any, Final, Self

from perles.domain.needs import Kept, Needs
from perles.domain.patterns import lazy_pattern
from perles.domain.placement import ANYWHERE, Place
from perles.domain.records import dataclass
from perles.domain.services import Ready

PLAIN_SH: Final = ("sh",)
"""What runs a script where nothing else was stored: sh without flags, which goes on after a
command that failed."""
MAX_DELAY: Final = 86_400.0
"""Seconds that a task waits for its next attempt, at most."""
_PYTHON: Final = lazy_pattern(r"python[0-9.]*")
_SHELLS: Final = frozenset({"sh", "bash", "dash", "ash"})
_FLAG: Final = lazy_pattern(
    r"-[aefuvxo]+|pipefail|errexit|nounset|xtrace|--norc|--noprofile|--posix"
)
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
class Retry:
    """When a failed attempt is followed by another one: `delay` seconds later, and `backoff` times
    as late after each further one; only after the exit codes in `on`, where it has any."""

    delay: float = 0.0
    backoff: float = 1.0
    on: tuple[int, ...] = ()

    def allows(self, exit_code: int | None) -> bool:
        """Whether an attempt that ended so may be followed by another one."""
        return not self.on or exit_code in self.on

    def seconds(self, attempt: int) -> float:
        """How long to wait after the attempt with this number, counted from 1."""
        return min(self.delay * self.backoff ** min(attempt - 1, 100), MAX_DELAY)


@dataclass(frozen=True, slots=True, kw_only=True)
class Check:
    """Commands that must all pass before an agent's task is done; `timeout` is in seconds."""

    commands: tuple[str, ...]
    timeout: float = 600.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Execution:
    """How the command of a task is run. `program`, with its flags, is given the
    script as a file. `grace` is the seconds between TERM and KILL, None means the usual ones.

    It runs in `dir`, a folder in the work dir, with the variables of the files in `dotenv`,
    and without those in `unset`. `check` decides whether an agent's task is done, run by `program`.
    `review` is the kind of review that an agent's task must pass, "" for none; `role` the kind of
    worker that is to do it; `outputs` are the files that must be there when it is done, by key.
    `places` tells where a file of variables was named, for
    errors; it is not kept. `secrets` are names, each with the command that prints its value, or
    None where the environment has it. `limits` are the names that it needs while it runs, shared
    by all workflows, each with how many tasks may hold it.
    With `continue_on_error` its failure fails nothing else. `service` tells when a service is
    ready, None for a task that is none. `place` is what it needs of the node that runs it.
    """

    program: tuple[str, ...] = PLAIN_SH
    grace: float | None = None
    retry: Retry = field(default_factory=Retry)
    dir: str = ""
    dotenv: tuple[str, ...] = ()
    unset: tuple[str, ...] = ()
    check: Check | None = None
    continue_on_error: bool = False
    tty: bool = False
    needs: Needs = field(default_factory=Needs)
    artifacts: Kept = field(default_factory=Kept)
    secrets: Mapping[str, Any] = field(default_factory=dict)
    limits: Mapping[str, int] = field(default_factory=dict)
    review: str = ""
    role: str = ""
    outputs: Mapping[str, str] = field(default_factory=dict)
    service: Ready | None = None
    place: Place = ANYWHERE
    places: Mapping[str, str] = field(default_factory=dict, compare=False)

    @property
    def language(self) -> Language:
        """What the script is written in."""
        return language(self.program)

    def stored(self) -> dict[str, Any]:
        """As it is kept with the task: only what is not as it would be without."""
        found: dict[str, Any] = {}
        if self.program != PLAIN_SH:
            found["shell"] = list(self.program)
        if self.grace is not None:
            found["grace"] = self.grace
        if self.retry != Retry():
            retry = self.retry
            found["retry"] = {"delay": retry.delay, "backoff": retry.backoff, "on": list(retry.on)}
        if self.check is not None:
            check = self.check
            found["check"] = {"commands": list(check.commands), "timeout": check.timeout}
        found |= {"secrets": dict(self.secrets)} if self.secrets else {}
        found |= {"limits": dict(self.limits)} if self.limits else {}
        found |= self.needs.stored()
        found |= {"artifacts": self.artifacts.stored()} if self.artifacts.paths else {}
        found |= {"tty": True} if self.tty else {}
        found |= {"continue_on_error": True} if self.continue_on_error else {}
        found |= {"service": self.service.stored()} if self.service is not None else {}
        found |= {"place": self.place.stored()} if self.place else {}
        found |= {"dir": self.dir} if self.dir else {}
        found |= {"review": self.review} if self.review else {}
        found |= {"role": self.role} if self.role else {}
        found |= {"outputs": dict(self.outputs)} if self.outputs else {}
        found |= {"dotenv": list(self.dotenv)} if self.dotenv else {}
        return found | ({"unset": list(self.unset)} if self.unset else {})

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """What `stored` made."""
        retry = dict(stored.get("retry", {}))
        retry["on"] = tuple(retry.get("on", ()))
        check = stored.get("check")
        if check is not None:
            check = Check(commands=tuple(check["commands"]), timeout=check["timeout"])
        return cls(
            check=check,
            program=tuple(stored.get("shell", PLAIN_SH)),
            grace=stored.get("grace"),
            retry=Retry(**retry),
            needs=Needs.of(stored),
            artifacts=Kept.of(stored.get("artifacts")),
            tty=stored.get("tty", False),
            continue_on_error=stored.get("continue_on_error", False),
            secrets=stored.get("secrets", {}),
            limits=stored.get("limits", {}),
            service=Ready.of(stored.get("service")),
            place=Place.of(stored.get("place")),
            dir=stored.get("dir", ""),
            review=stored.get("review", ""),
            role=stored.get("role", ""),
            outputs=stored.get("outputs", {}),
            dotenv=tuple(stored.get("dotenv", ())),
            unset=tuple(stored.get("unset", ())),
        )
