"""Who gets a named limit next: a mutex, or a number of places, that tasks of all workflows share.

Every task says by itself how many may hold a name beside each other, itself counted. Where the
tasks of different workflows say different numbers, the smallest one counts, of the holders and of
the task that wants the name: no task ever shares it with more than it allows.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import Final, NamedTuple

MUTEX: Final = 1
MAX_SIZE: Final = 10_000
MARK: Final = '"limits"'
"""What stands in how a task is kept that needs names, as `Execution.stored` has it."""
MAX_NAMES: Final = 20
PATIENCE: Final = 60.0
"""Seconds for which a name is kept for the task whose turn it is; after that others pass it."""


class Claim(NamedTuple):
    """A task that waits, with each name that it wants and how many may hold that."""

    task_id: int
    wants: Mapping[str, int]
    rank: float

    @property
    def place(self) -> tuple[float, int]:
        """The smallest is next; of two that asked at once the older task."""
        return (self.rank, self.task_id)


def has_room(size: int, held: Sequence[int]) -> bool:
    """Whether one more may hold a name that is held with these sizes."""
    return len(held) < min(size, *held) if held else size > 0


def next_in_line(claims: Iterable[Claim], held: Mapping[str, Sequence[int]]) -> list[Claim]:
    """Those of the claims that can be met now, in order.

    A task gets all of its names at once or none, so that no two wait for each other. What one
    that must wait wants is kept for it: nobody behind it takes that first.
    """
    taken = {name: list(sizes) for name, sizes in held.items()}
    met = []
    for claim in sorted(claims, key=lambda one: one.place):
        if all(has_room(size, taken.get(name, ())) for name, size in claim.wants.items()):
            met.append(claim)
        for name, size in claim.wants.items():
            taken.setdefault(name, []).append(size)
    return met


def in_words(name: str, size: int) -> str:
    """`mutex deploy`, `limit gpu`."""
    return f"{'mutex' if size == MUTEX else 'limit'} {name}"
