"""Rows as SQLite's driver gives them: by place, by name, and as what `dict` takes."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, ClassVar


class Row(tuple[Any, ...]):
    """A row of one statement. `row[0]`, `row["name"]`, `keys()`, `dict(row)`."""

    __slots__ = ()
    _places: ClassVar[dict[str, int]]

    def __getitem__(self, key: Any) -> Any:
        """The value at a place, or of a name. Raises `IndexError` for none, as SQLite's does."""
        if key.__class__ is not str:
            return tuple.__getitem__(self, key)
        try:
            return tuple.__getitem__(self, self._places[key])
        except KeyError:
            raise IndexError(f"no column {key}") from None

    def keys(self) -> list[str]:
        """The names of its columns."""
        return list(self._places)


@lru_cache(maxsize=2048)
def row_class(names: tuple[str, ...]) -> type[Row]:
    """The class of rows with these columns."""
    places = {name: place for place, name in reversed(list(enumerate(names)))}
    ordered = {name: places[name] for name in dict.fromkeys(names)}
    return type("Row", (Row,), {"__slots__": (), "_places": ordered})
