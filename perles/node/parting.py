"""What the engine knows of a node that is about to end."""

from __future__ import annotations

from collections.abc import Iterable

from perles.executor.remote.messages import State, TurnRef


class Parting:
    """Follows which answers have arrived: the engine asks again once it has taken one.

    `lived` are the turns that this node ends.
    """

    def __init__(self, lived: Iterable[TurnRef]) -> None:
        self._lived, self._has_all = frozenset(lived), False
        self._told: set[TurnRef] = set()
        self.is_told = False
        """Whether an answer has told that the node ends."""
        self._known: set[TurnRef] | None = None

    def asked(self, has_all: bool) -> None:
        """The engine asks for news of turns, and `has_all` that there is of them now, or not."""
        self._has_all = has_all
        if self.is_told:
            self._known = set(self._told)

    def answered(self, states: Iterable[State], *, leaves: bool) -> None:
        """It is answered with this; `leaves` says that it is told that the node ends."""
        self.is_told = self.is_told or leaves
        self._told |= {state.turn for state in states if not state.lives}

    def is_over(self) -> bool:
        """Whether the engine knows that the node ends, and how each turn has ended."""
        return self._has_all and self._known is not None and self._known >= self._lived
