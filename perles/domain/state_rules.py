"""What a state machine's table is made of: edges, and the rules of one kind of row."""

from enum import StrEnum
from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T", bound=str)
"""The triggers of one machine."""


class Edge(NamedTuple, Generic[T]):
    """One allowed step: `trigger` takes a row from any of `sources` to `dest`.

    `event` is the type of the event that commits with the step; `{role}` in it
    stands for the role of the agent concerned.
    """

    trigger: T
    sources: tuple[str, ...]
    dest: str
    event: str


class Rules(NamedTuple, Generic[T]):
    """The states and edges of one kind of row, and how people call that kind."""

    kind: str
    states: tuple[str, ...]
    edges: tuple[Edge[T], ...]
    terminal: frozenset[str]

    def states_with(self, trigger: str) -> tuple[str, ...]:
        """The states from which an edge with this trigger leads, in their order."""
        return tuple(
            state
            for state in self.states
            if any(edge.trigger == trigger and state in edge.sources for edge in self.edges)
        )


def states_of(enum: type[StrEnum]) -> tuple[str, ...]:
    """The names of the states, in their order."""
    return tuple(member.value for member in enum)
