"""What a check found."""

from typing import Any, Final, NamedTuple

OK: Final = "ok"
NOTE: Final = "note"
PROBLEM: Final = "problem"


class Finding(NamedTuple):
    """One thing that a check found. `level` is ok, note (worth knowing) or problem."""

    check: str
    level: str
    text: str
    advice: str = ""
    lines: tuple[str, ...] = ()
    """The last lines of an output that tells more."""

    def as_json(self) -> dict[str, Any]:
        """In the shape of `docs/json.md`."""
        return self._asdict() | {"lines": list(self.lines)}


def named(names: list[str], most: int = 5) -> str:
    """The first names, and how many more there are."""
    more = f" and {len(names) - most} more" if len(names) > most else ""
    return ", ".join(names[:most]) + more
