"""Our `dataclass` makes what the standard one makes."""

import copy
import dataclasses
import pickle
from dataclasses import FrozenInstanceError, asdict, field, fields, replace
from typing import Any

import pytest

from perles.domain.records import dataclass

OURS: Any = dataclass
BOTH = pytest.mark.parametrize("make", [OURS, dataclasses.dataclass], ids=["ours", "standard"])


@OURS(frozen=True, slots=True)
class _Kept:
    a: int
    b: str = "x"
    c: list[int] = field(default_factory=list, compare=False)


Kept: Any = _Kept


@BOTH
def test_an_instance_has_its_values_and_compares_by_them(make: Any) -> None:
    @make(frozen=True, slots=True)
    class _One:
        a: int
        b: str = "x"
        c: list[int] = field(default_factory=list, compare=False)

    @make(frozen=True, slots=True)
    class _Other(_One):
        d: int = 4

    One: Any = _One  # noqa: N806
    Other: Any = _Other  # noqa: N806
    one, like = One(1, c=[3]), One(1)

    assert (one.a, one.b, one.c, like.c) == (1, "x", [3], [])
    assert one == like
    assert hash(one) == hash(like) == hash((1, "x"))
    assert one != One(2)
    assert one != Other(1)
    assert one != (1, "x")
    assert Other(1, d=5).d == 5
    assert replace(one, b="y") == One(1, "y")
    assert asdict(one) == {"a": 1, "b": "x", "c": [3]}
    assert [each.name for each in fields(Other)] == ["a", "b", "c", "d"]
    assert repr(one).endswith("One(a=1, b='x', c=[3])")
    assert not hasattr(one, "__dict__")
    with pytest.raises(FrozenInstanceError):
        one.a = 2
    with pytest.raises(FrozenInstanceError):
        del one.a
    for args, named in (((), {}), ((1,), {"nothing": 2}), ((1, "x", [], 4), {})):
        with pytest.raises(TypeError, match=r"One.__init__\(\)"):
            One(*args, **named)
    assert One.__match_args__ == ("a", "b", "c")


@BOTH
def test_what_a_class_says_itself_stays(make: Any) -> None:
    @make(slots=True, kw_only=True)
    class _Changing:
        a: int
        seen: int = 0
        made: list[int] = field(init=False, default_factory=list)
        plain: int = field(init=False, default=3)
        later: int = field(init=False)

        def __post_init__(self) -> None:
            self.seen += self.a

        def __repr__(self) -> str:
            return "mine"

    @make(slots=True, eq=False)
    class _Same:
        a: int

    Changing: Any = _Changing  # noqa: N806
    Same: Any = _Same  # noqa: N806

    one = Changing(a=2)
    one.a = 7

    assert (one.made, one.plain, hasattr(one, "later")) == ([], 3, False)
    with pytest.raises(TypeError):
        Changing(a=1, made=[])
    assert (one.a, one.seen, repr(one)) == (7, 2, "mine")
    with pytest.raises(TypeError):
        Changing(2)
    with pytest.raises(TypeError, match="unhashable"):
        hash(one)
    assert Same(1) != Same(1)
    assert isinstance(hash(Same(1)), int)


def test_an_instance_can_be_copied_and_sent() -> None:
    kept = Kept(1, c=[2])

    for like in (copy.deepcopy(kept), copy.copy(kept), pickle.loads(pickle.dumps(kept))):
        assert (like.a, like.b, like.c) == (1, "x", [2])


def test_a_method_is_compiled_when_it_is_called_first() -> None:
    @OURS(frozen=True, slots=True)
    class _Fresh:
        a: int

    def file_of(name: str) -> str:
        return str(vars(_Fresh)[name].__code__.co_filename)

    Fresh: Any = _Fresh  # noqa: N806
    assert "<string>" not in (file_of("__init__"), file_of("__eq__"), file_of("__hash__"))
    assert Fresh(1) == Fresh(1)
    assert file_of("__init__") == file_of("__eq__") == "<string>"
    assert file_of("__hash__") != "<string>"
