"""Whether a command has to run, and may: what must hold before, and which files it is about."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any, Final, Self

from perles.domain.records import dataclass

UP_TO_DATE: Final = "up to date: "
"""How the report of a command begins that did not have to run."""
SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True, kw_only=True)
class Precondition:
    """A command that must pass before; `message` tells people what to do where it does not."""

    run: str
    message: str = ""
    timeout: float = SECONDS


@dataclass(frozen=True, slots=True, kw_only=True)
class Needs:
    """`sources` are the files that a command reads and `generates` the files that it makes, as
    patterns below its folder: it does not run where nothing changed since it last ended well.
    """

    preconditions: tuple[Precondition, ...] = ()
    sources: tuple[str, ...] = ()
    generates: tuple[str, ...] = ()

    def stored(self) -> dict[str, Any]:
        """As it is kept with the task: only what there is."""
        found: dict[str, Any] = {}
        if self.preconditions:
            found["preconditions"] = [asdict(one) for one in self.preconditions]
        found |= {"sources": list(self.sources)} if self.sources else {}
        return found | ({"generates": list(self.generates)} if self.generates else {})

    @classmethod
    def of(cls, stored: Mapping[str, Any]) -> Self:
        """What `stored` made."""
        return cls(
            preconditions=tuple(Precondition(**one) for one in stored.get("preconditions", ())),
            sources=tuple(stored.get("sources", ())),
            generates=tuple(stored.get("generates", ())),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """The files that a task leaves, as patterns below its folder, kept once it ended well.

    `max_bytes` is how large they may be together. Where nothing fits a pattern the task fails,
    but where they are `optional`.
    """

    paths: tuple[str, ...] = ()
    optional: bool = False
    max_bytes: int = 256 * 1024 * 1024

    def stored(self) -> dict[str, Any]:
        """As it is kept with the task."""
        return {
            "paths": list(self.paths),
            "optional": self.optional,
            "max_bytes": self.max_bytes,
        }

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Self:
        """What `stored` made."""
        if stored is None:
            return cls()
        return cls(
            paths=tuple(stored["paths"]),
            optional=stored["optional"],
            max_bytes=stored["max_bytes"],
        )
