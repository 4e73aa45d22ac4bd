"""Where a turn may run: what a task needs of a node, and which node gets it. No I/O."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Self

from perles.domain.size import format_size

HERE: Final = None
"""The place that is no node: the engine's own machine."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a node must have: all of these labels, and so many bytes of free memory."""

    labels: tuple[str, ...] = ()
    memory: int = 0

    def __or__(self, other: "Place") -> "Place":
        """What both ask for."""
        labels = tuple(dict.fromkeys((*self.labels, *other.labels)))
        return Place(labels=labels, memory=max(self.memory, other.memory))

    def __bool__(self) -> bool:
        """Whether anything is asked for."""
        return bool(self.labels or self.memory)

    def stored(self) -> dict[str, Any]:
        """As it is kept with a task: only what is asked for."""
        found: dict[str, Any] = {"labels": list(self.labels)} if self.labels else {}
        return found | ({"memory": self.memory} if self.memory else {})

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Self:
        """What `stored` made."""
        found = stored or {}
        return cls(labels=tuple(found.get("labels", ())), memory=found.get("memory", 0))

    def __str__(self) -> str:
        """In words: `label gpu, 2GiB of memory`."""
        words = [f"label {label}" for label in self.labels]
        return ", ".join([*words, *([f"{format_size(self.memory)} of memory"] * bool(self.memory))])


@dataclass(frozen=True, slots=True, kw_only=True)
class Room:
    """A node as placement sees it: `free` slots, `used` ones, bytes of memory in all and free.

    `is_open` is false for one that gets no new agents: it drains, or is out of reach.
    """

    name: str
    free: int
    used: int = 0
    labels: frozenset[str] = frozenset()
    memory: int = 0
    memory_free: int = 0
    is_open: bool = True

    def could_serve(self, place: Place) -> bool:
        """Whether it has what is asked for, once it is free."""
        return self.labels.issuperset(place.labels) and place.memory <= self.memory

    def serves(self, place: Place) -> bool:
        """Whether it can take a turn now."""
        roomy = self.is_open and self.free > 0 and place.memory <= self.memory_free
        return roomy and self.could_serve(place)


def choose(place: Place, rooms: Sequence[Room], near: str | None = None) -> str | None:
    """The node that gets a turn, or None where none can take it now.

    The node `near` has the data already; otherwise it is the one with the smallest share of its
    slots used, so that work spreads, and by name among equals.
    """
    fits = [room for room in rooms if room.serves(place)]
    if not fits:
        return None
    return min(fits, key=lambda room: (room.name != near, _share(room), room.name)).name


def taken(rooms: Sequence[Room], name: str, place: Place) -> list[Room]:
    """The rooms after a node got a turn."""
    return [
        room
        if room.name != name
        else Room(
            name=room.name,
            free=room.free - 1,
            used=room.used + 1,
            labels=room.labels,
            memory=room.memory,
            memory_free=room.memory_free - place.memory,
            is_open=room.is_open,
        )
        for room in rooms
    ]


def why_none(place: Place, rooms: Sequence[Room]) -> str:
    """Why no node can take it now, in words; what no waiting helps names what to do."""
    if not rooms:
        return "no node has joined the cluster: perles doctor tells why"
    able = [room for room in rooms if room.could_serve(place)]
    wanted = f" with {place}" if place else ""
    if not able:
        return f"no node{wanted}: perles nodes shows what there is"
    usable = [room for room in able if room.is_open]
    if not usable:
        names = ", ".join(room.name for room in able[:5])
        return f"every node{wanted} drains or is out of reach ({names}): perles nodes"
    if all(room.free <= 0 for room in usable):
        slots = sum(room.used + max(0, room.free) for room in usable)
        return f"all {slots} slots of nodes{wanted} are used"
    return f"no node{wanted} has enough free memory now"


def _share(room: Room) -> float:
    return room.used / max(1, room.used + room.free)
