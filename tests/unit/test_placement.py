"""Which node gets a turn: labels, memory, free slots, data, spread; and words for none."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perles.domain.placement import ANYWHERE, Place, Room, Rooms

GIB = 2**30


def _rooms(*rooms: Room) -> Rooms:
    return Rooms(rooms)


def _room(name: str, slots: int = 2, **more: object) -> Room:
    return Room(name=name, slots=slots, memory=8 * GIB, memory_free=4 * GIB, **more)  # type: ignore[arg-type]


def test_work_spreads() -> None:
    rooms = _rooms(_room("a"), _room("b"), _room("c", slots=4))
    chosen = []
    for _ in range(8):
        name = rooms.choose(ANYWHERE)
        assert name is not None
        rooms.take(name)
        chosen.append(name)

    assert chosen == ["a", "b", "c", "c", "a", "b", "c", "c"]
    assert rooms.choose(ANYWHERE) is None
    assert rooms.why_none(ANYWHERE) == "all 8 slots of nodes are used"


def test_the_node_with_the_data_is_taken_while_it_has_room() -> None:
    rooms = _rooms(_room("a"), _room("b", used=1))
    assert rooms.choose(ANYWHERE, near="b") == "b"
    rooms.take("b")
    assert rooms.choose(ANYWHERE, near="b") == "a"
    assert rooms.choose(ANYWHERE, near="not there") == "a"


@pytest.mark.parametrize(
    ("place", "name"),
    [
        (Place(labels=("gpu",)), "b"),
        (Place(labels=("gpu", "big")), None),
        (Place(memory=3 * GIB), "a"),
        (Place(memory=5 * GIB), None),
    ],
)
def test_what_is_needed_is_there(place: Place, name: str | None) -> None:
    small = Room(name="b", slots=2, labels=frozenset({"gpu"}), memory=2 * GIB, memory_free=2 * GIB)
    assert _rooms(_room("a"), small).choose(place) == name


@pytest.mark.parametrize("state", ["draining", "unreachable", "gone"])
def test_only_a_node_that_is_ready_gets_turns(state: str) -> None:
    assert _rooms(_room("a", state=state)).choose(ANYWHERE, near="a") is None


def test_why_none_is_said_in_words() -> None:
    gpu = Place(labels=("gpu",), memory=2 * GIB)
    assert "no node has joined" in _rooms().why_none(ANYWHERE)
    left = _rooms(_room("b", state="gone"), _room("a", state="gone")).why_none(ANYWHERE)
    assert left.startswith("no node is left in the cluster: a, b are gone")
    without = _rooms(_room("a"))
    assert without.why_none(gpu).startswith("no node with label gpu and 2.0 GiB of memory")
    assert without.is_hopeless(gpu)
    drained = _rooms(_room("a", state="draining", labels=frozenset({"gpu"})))
    assert drained.why_none(gpu).endswith("is ready: a is draining")
    assert not drained.is_hopeless(gpu)
    full = _rooms(Room(name="a", slots=1, is_full=True), _room("b", state="unreachable"))
    assert full.choose(ANYWHERE) is None
    assert full.why_none(ANYWHERE) == ("no node is ready: a: its disk is full, b is unreachable")
    lean = Room(name="a", slots=1, labels=frozenset({"gpu"}), memory=8 * GIB, memory_free=1)
    assert "memory free now" in _rooms(lean).why_none(gpu)


@given(
    st.lists(st.tuples(st.integers(0, 4), st.sampled_from(["ready", "draining"])), max_size=12),
    st.integers(0, 40),
)
def test_no_node_gets_more_than_its_slots(nodes: list[tuple[int, str]], turns: int) -> None:
    rooms = _rooms(
        *(Room(name=f"n{i:02}", slots=slots, state=state) for i, (slots, state) in enumerate(nodes))
    )
    placed = 0
    for _ in range(turns):
        name = rooms.choose(ANYWHERE)
        if name is None:
            break
        rooms.take(name)
        placed += 1

    assert all(room.used <= room.slots for room in rooms.by_name.values())
    free = sum(slots for slots, state in nodes if state == "ready")
    assert placed == min(turns, free)
