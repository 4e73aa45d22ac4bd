"""Access tokens on the read side. By the driver alone."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple

if TYPE_CHECKING:
    from sqlite3 import Connection

Json = dict[str, Any]
_HOLDS: Final = "revoked_at IS NULL AND (expires_at IS NULL OR expires_at > ?)"


class Holder(NamedTuple):
    """Who asks with a token."""

    id: int
    name: str
    role: str


def holder(connection: Connection | None, hash: str, now: str) -> Holder | None:
    """The holder of the token with this hash, where it holds at `now`; None else."""
    if connection is None:
        return None
    query = f"SELECT id, name, role FROM access_tokens WHERE hash = ? AND {_HOLDS}"
    row = connection.execute(query, (hash, now)).fetchone()
    return None if row is None else Holder(*row)


def any_holds(connection: Connection | None, now: str) -> bool:
    """Whether there is a token by which somebody could ask."""
    if connection is None:
        return False
    query = f"SELECT EXISTS (SELECT 1 FROM access_tokens WHERE {_HOLDS})"
    return bool(connection.execute(query, (now,)).fetchone()[0])


def tokens(connection: Connection | None) -> list[Json]:
    """All tokens, the newest first, as `token list --json` has them."""
    if connection is None:
        return []
    rows = connection.execute(
        "SELECT name, role, created_at, expires_at, revoked_at FROM access_tokens ORDER BY id DESC"
    )
    return [dict(row) for row in rows]
