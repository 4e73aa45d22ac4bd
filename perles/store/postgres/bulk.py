"""Many rows for one table as one statement: a JSON array of them is its only parameter."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

import msgspec

from perles.domain.patterns import lazy_pattern

if TYPE_CHECKING:
    from collections.abc import Sequence

_INSERT: Final = lazy_pattern(r"INSERT INTO (\w+) \(([\w\", ]+)\) VALUES \([?, ]+\)")


class Bulk(NamedTuple):
    """An INSERT of the rows that a JSON array has."""

    text: bytes
    columns: tuple[str, ...]

    def rows(self, rows: Sequence[Sequence[Any]]) -> str:
        """The parameter for these rows, without NUL characters."""
        named = [dict(zip(self.columns, row, strict=True)) for row in rows]
        text = msgspec.json.encode(named)
        if b"\\u0000" in text:  # or a text that has the six characters itself
            named = [{name: clean(value) for name, value in row.items()} for row in named]
            text = msgspec.json.encode(named)
        return text.decode()


@lru_cache(maxsize=256)
def bulk_insert(sql: str) -> Bulk | None:
    """The statement for many rows at once of an INSERT that has only marks as values, or None."""
    found = _INSERT.fullmatch(sql)
    if found is None:
        return None
    table, listed = found.groups()
    text = (
        f"INSERT INTO {table} ({listed}) SELECT {listed} "  # noqa: S608 - our own names
        f"FROM json_populate_recordset(NULL::{table}, $1)"
    )
    return Bulk(text.encode(), tuple(name.strip('" ') for name in listed.split(",")))


def clean(value: Any) -> Any:
    """A value without NUL characters, which a text of PostgreSQL cannot hold."""
    return value.replace("\0", "\ufffd") if isinstance(value, str) else value
