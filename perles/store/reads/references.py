"""Which workflow somebody means: by its id, a unique prefix of it, or its unique name.

A name must be whole: `perles stop rel` is not to end whatever happens to begin so. What
is not found names the ones that may have been meant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from perles.domain.errors import AmbiguousIdError, NotFoundError, UsageError
from perles.domain.nearest import alike

if TYPE_CHECKING:
    from sqlite3 import Connection

NEAR = 3
"""Name at most this many that may have been meant."""
_LOOKED_AT = 1000
"""Compare at most this many of the newest for likeness: each costs 20 µs."""
_IN_USE = (
    "w.archived_at IS NULL AND w.id NOT IN "
    "(SELECT retried_from FROM workflows WHERE retried_from IS NOT NULL)"
)


def resolve(connection: Connection | None, ref: str) -> str:
    """The id of the one workflow that is meant: its id, unique name, or unique prefix of its id.

    A name is before a prefix without `wf-`: whose id happens to begin so is not meant.
    Raises `NotFoundError`, `AmbiguousIdError`, `UsageError` for what is no text.
    """
    if ref is not None and not isinstance(ref, str):
        raise UsageError(f"cannot find workflow {ref!r}: give its id or its name, as text")
    if connection is None or not ref:
        raise NotFoundError("workflow", ref)
    exact = connection.execute("SELECT id FROM workflows WHERE id = ?", (ref,)).fetchone()
    if exact is not None:
        return str(exact[0])
    if not ref.startswith("wf-") and (named := _named(connection, ref)):
        return _only(connection, ref, named)
    prefix = ref if ref.startswith("wf-") else f"wf-{ref}"
    found = _words(
        connection,
        "SELECT id FROM workflows WHERE id >= ? AND id < ? ORDER BY id LIMIT 20",
        (prefix, prefix + "\U0010ffff"),
    )
    return _only(connection, ref, found or _named(connection, ref))


def _only(connection: Connection, ref: str, found: list[str]) -> str:
    if not found:
        raise NotFoundError("workflow", ref, near=_near(connection, ref))
    if len(found) > 1:
        raise AmbiguousIdError(ref, found)
    return found[0]


def _named(connection: Connection, name: str) -> list[str]:
    """Workflows of this name: those in use, where there are any, before archived and retried."""
    query = "SELECT w.id FROM workflows w WHERE w.name = ?"
    newest = " ORDER BY w.created_at DESC LIMIT 20"
    in_use = _words(connection, f"{query} AND {_IN_USE}{newest}", (name,))
    return in_use or _words(connection, query + newest, (name,))


def _near(connection: Connection, ref: str) -> list[str]:
    """Names and ids in use that are nearest: names with the text in them first."""
    newest = f"FROM workflows w WHERE {_IN_USE} ORDER BY w.created_at DESC"
    around = (
        f"FROM workflows w WHERE instr(lower(w.name), lower(?)) > 0 AND {_IN_USE} GROUP BY w.name"
    )
    found = _words(
        connection, f"SELECT w.name {around} ORDER BY max(w.created_at) DESC LIMIT {NEAR}", (ref,)
    )
    found += alike(ref, _words(connection, f"SELECT w.name {newest} LIMIT {_LOOKED_AT}"), NEAR)
    id = ref if ref.startswith("wf-") else f"wf-{ref}"
    # All ids begin alike: more than half of the rest must fit as well.
    found += alike(id, _words(connection, f"SELECT w.id {newest} LIMIT {_LOOKED_AT}"), NEAR, 0.8)
    return list(dict.fromkeys(found))[:NEAR]


def _words(connection: Connection, query: str, params: tuple[str, ...] = ()) -> list[str]:
    return [str(row[0]) for row in connection.execute(query, params)]
