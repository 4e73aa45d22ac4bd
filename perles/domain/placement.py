"""Where a turn may run: what a task needs of a node, and which node gets it. No I/O."""

from collections.abc import Collection, Iterable, Mapping
from heapq import heapify, heappop, heappush
from typing import Any, Final, Self

from perles.domain.records import dataclass
from perles.domain.size import format_size

MARK: Final = '"place":'
"""What stands in the stored execution of a task that needs something of a node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """What a node must have: all of these labels, and this many bytes of free memory."""

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
        """In words: `label gpu and 2.0 GiB of memory`."""
        words = [f"label {label}" for label in self.labels]
        words += [f"{format_size(self.memory)} of memory"] if self.memory else []
        return " and ".join(words)


ANYWHERE: Final = Place()
MOST_NAMED: Final = 3
FULL: Final = "its disk is full"
"""What is told of a node that has no room for the files of a turn."""


def none_is_there(gone: Collection[str]) -> str:
    """That no node is there, in words: none has ever been, or these were and are `gone`."""
    if not gone:
        return "no node has joined the cluster"
    names = ", ".join(sorted(gone)[:MOST_NAMED])
    names += " and others" if len(gone) > MOST_NAMED else ""
    return f"no node is left in the cluster: {names} {'is' if len(gone) == 1 else 'are'} gone"


@dataclass(slots=True, kw_only=True)
class Room:
    """A node as placement sees it: its slots and those in use; memory in bytes, in all and free.

    `state` is that of its row: only a node that is ready gets new agents, and none whose disk
    `is_full`.
    """

    name: str
    slots: int
    state: str = "ready"
    labels: frozenset[str] = frozenset()
    memory: int = 0
    memory_free: int = 0
    is_full: bool = False
    used: int = 0

    @property
    def stands(self) -> str:
        """Why it gets nothing now, in words; "" where its slots and memory decide."""
        if self.state != "ready":
            return f"{self.name} is {self.state}"
        return f"{self.name}: {FULL}" if self.is_full else ""

    @property
    def share(self) -> float:
        """How much of it is in use."""
        return self.used / max(1, self.slots)

    def could_serve(self, place: Place) -> bool:
        """Whether it has what is asked for, once it is free."""
        return self.labels.issuperset(place.labels) and place.memory <= self.memory

    def serves(self, place: Place) -> bool:
        """Whether it can take a turn now."""
        free = not self.stands and self.used < self.slots
        return free and self.could_serve(place) and place.memory <= self.memory_free


class Rooms:
    """All nodes; which one is next is found without a look at each.

    The heap has an entry for the share of each node as it is now; those of shares before are
    dropped when they come up.
    """

    def __init__(self, rooms: Iterable[Room]) -> None:
        self.by_name = {room.name: room for room in rooms}
        self._memory = {name: room.memory_free for name, room in self.by_name.items()}
        self._in_use = {name for name, room in self.by_name.items() if room.used}
        self._next: list[tuple[float, str]] = []
        self._renew()

    def choose(self, place: Place, near: str | None = None) -> str | None:
        """The node that gets a turn, or None where none can take it now.

        The node `near` has the data already; otherwise it is the one with the smallest share of
        its slots in use, so that work spreads, and by name among equals.
        """
        at_hand = self.by_name.get(near or "")
        if at_hand is not None and at_hand.serves(place):
            return at_hand.name
        passed, found = [], None
        while self._next and found is None:
            share, name = heappop(self._next)
            room = self.by_name[name]
            if share == room.share:
                passed.append((share, name))
                found = name if room.serves(place) else None
        for one in passed:
            heappush(self._next, one)
        return found

    def take(self, name: str, place: Place = ANYWHERE) -> None:
        """A node got a turn."""
        room = self.by_name[name]
        self._set(room, room.used + 1, room.memory_free - place.memory)

    def use(self, used: Mapping[str, tuple[int, int]]) -> None:
        """What is in use now: by node, turns and the memory that these asked for."""
        for name in self._in_use - used.keys():
            self._set(self.by_name[name], 0, self._memory[name])
        for name, (turns, memory) in used.items():
            if name in self.by_name:
                self._set(self.by_name[name], turns, self._memory[name] - memory)
        self._in_use = self.by_name.keys() & used.keys()
        if len(self._next) > 4 * len(self.by_name) + 100:
            self._renew()

    def _set(self, room: Room, used: int, memory_free: int) -> None:
        room.memory_free = memory_free
        self._in_use.add(room.name)
        if room.used != used:
            room.used = used
            heappush(self._next, (room.share, room.name))

    def _renew(self) -> None:
        self._next = [(room.share, room.name) for room in self.by_name.values()]
        heapify(self._next)

    def why_none(self, place: Place) -> str:
        """Why no node can take it now, in words that name what to look at."""
        rooms = [room for room in self.by_name.values() if room.state != "gone"]
        if not rooms:
            return f"{none_is_there(self.by_name)} (perles doctor tells why)"
        able = [room for room in rooms if room.could_serve(place)]
        having = f" with {place}" if place else ""
        if not able:
            return f"no node{having} (perles nodes shows what there is)"
        usable = [room for room in able if not room.stands]
        if not usable:
            names = ", ".join(room.stands for room in able[:MOST_NAMED])
            return f"no node{having} is ready: {names}"
        if all(room.used >= room.slots for room in usable):
            slots = sum(room.slots for room in usable)
            return f"all {slots} slots of nodes{having} are used"
        return f"no node{having} has so much memory free now"

    def is_hopeless(self, place: Place) -> bool:
        """Whether no waiting helps: there is no node that has what is asked for."""
        rooms = [room for room in self.by_name.values() if room.state != "gone"]
        return bool(rooms) and not any(room.could_serve(place) for room in rooms)
