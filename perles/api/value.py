"""Values that a program is given: frozen, typed, and read like the JSON they come from."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from datetime import datetime
from typing import Any, ClassVar


class Value(Mapping[str, Any]):
    """A frozen view of one object of the JSON contract (docs/json.md).

    Its attributes are typed. `to_dict()` is the JSON, of which `value["key"]` is a part.
    """

    __slots__ = ("_row",)
    _shown: ClassVar[tuple[str, ...]] = ()
    """What `repr` tells."""
    _row: Mapping[str, Any]

    def __init__(self, row: Mapping[str, Any]) -> None:
        object.__setattr__(self, "_row", row)

    def to_dict(self) -> dict[str, Any]:
        """The JSON object, as a copy of the caller's own."""
        return deepcopy(dict(self._row))

    def __getitem__(self, key: str) -> Any:
        return self._row[key]

    def __iter__(self) -> Iterator[str]:
        return iter(self._row)

    def __len__(self) -> int:
        return len(self._row)

    def __setattr__(self, name: str, _value: object) -> None:
        raise AttributeError(f"cannot set {name!r}: a {type(self).__name__} is frozen")

    def __delattr__(self, name: str) -> None:
        raise AttributeError(f"cannot delete {name!r}: a {type(self).__name__} is frozen")

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (dict(self._row),)

    def __repr__(self) -> str:
        told = ", ".join(f"{name}={str(getattr(self, name))!r}" for name in self._shown)
        return f"{type(self).__name__}({told})"


def moment(text: str | None) -> datetime | None:
    """A time of the JSON contract as an aware datetime, in UTC."""
    return None if text is None else datetime.fromisoformat(text)
