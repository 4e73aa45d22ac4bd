"""Durable cursors: how far a named subscriber has read, a row each."""

from typing import Final

from perles.store.expressions import bindparam, delete, func, select
from perles.store.schema.journal import Cursor, Event
from perles.store.sql import Sql
from perles.store.transaction import Tx

_LAST: Final = Sql(select(func.coalesce(func.max(Event.seq), 0)))
_FORGET: Final = Sql(delete(Cursor).where(Cursor.name == bindparam("name")))


def begin(tx: Tx, name: str, since: int | None = None) -> int:
    """The seq that the subscriber of this name has read up to.

    A new cursor begins after seq `since`, or after the newest event.
    """
    found = tx.get(Cursor, name)
    if found is not None:
        return found.seq
    seq = newest(tx) if since is None else since
    tx.insert(Cursor, name=name, seq=seq)
    return seq


def newest(tx: Tx) -> int:
    """The seq of the newest event; 0 where there is none."""
    return int(tx.value(_LAST))


def move(tx: Tx, name: str, seq: int) -> None:
    """Everything up to `seq` was read. A cursor that was forgotten meanwhile is made again."""
    if tx.get(Cursor, name) is None:
        tx.insert(Cursor, name=name, seq=seq)
    else:
        tx.update(Cursor, name, seq=seq)


def forget(tx: Tx, name: str) -> bool:
    """Remove a cursor: its next subscriber begins anew. Whether there was one."""
    return tx.run(_FORGET, name=name) > 0
