"""Connections to a PostgreSQL server that are used as those of SQLite's driver are.

One statement text serves both (see `text.py`); rows and errors have the same shape.
"""

from __future__ import annotations

import os
import time
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

from perles.config.database import shown
from perles.domain.errors import LostLeadError
from perles.store.postgres import errors, opening
from perles.store.postgres.opening import psycopg
from perles.store.postgres.text import Text, translated
from perles.store.sqlite.backend import BEGIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

T = TypeVar("T")

PATIENCE: Final = 30.0
"""Seconds in which a session that was cut is opened again."""
_PAUSE: Final = 0.1
"""Seconds between two attempts."""
WRITE: Final = 0x7065726C
"""The class of the advisory lock that a writing transaction holds; the schema is its number."""
_OPEN: Final = (psycopg.pq.TransactionStatus.INTRANS, psycopg.pq.TransactionStatus.INERROR)
_BEGIN: Final = (
    f"BEGIN; SELECT pg_advisory_xact_lock({WRITE}, hashtext(current_schema())); "
    "SELECT pg_current_xact_id()::text"
)
_BEGIN_LEADING: Final = f"{_BEGIN}, (SELECT epoch FROM leadership WHERE id = 1)"  # noqa: S608 - constants
_COMMIT: Final = "NOTIFY perles; COMMIT"
_IDS: Final = (
    "SELECT table_name FROM information_schema.columns WHERE table_schema = current_schema() "
    "AND column_name = 'id' AND (is_identity = 'YES' OR column_default LIKE 'nextval%')"
)


class Address(NamedTuple):
    """The URL of a database, and the path of the file in whose stead it is."""

    url: str
    path: str


class Cursor:
    """What a statement gave: all its rows, which are there already."""

    __slots__ = ("_at", "_rows", "lastrowid", "rowcount")

    def __init__(self, rows: list[Any], rowcount: int, lastrowid: int | None = None) -> None:
        self._rows, self._at = rows, 0
        self.rowcount = rowcount
        self.lastrowid = lastrowid or 0

    def fetchone(self) -> Any:
        """The next row, or None."""
        if self._at >= len(self._rows):
            return None
        self._at += 1
        return self._rows[self._at - 1]

    def fetchall(self) -> list[Any]:
        """All rows that are left."""
        rows, self._at = self._rows[self._at :], len(self._rows)
        return rows

    def __iter__(self) -> Iterator[Any]:
        return iter(self.fetchall())


class Connection:
    """One session of the server. A thread at a time uses it; `close` it."""

    def __init__(
        self,
        address: Address,
        *,
        application: str = "perles",
        reads_only: bool = False,
        patience: float = PATIENCE,
    ) -> None:
        """A session that is cut is opened again, for `patience` seconds. Raises the errors of
        `errors.py`, and `DatabaseError` for a server that will not do.
        """
        self.address, self.path, self.shown = address, address.path, shown(address.url)
        self._application = application
        self._reads_only, self._patience = reads_only, patience
        self.xid: str | None = None
        """The transaction that writes, or wrote last, as the server numbers it."""
        self.epoch: int | None = None
        """With it each transaction begins by looking whether this engine leads."""
        self._ids: frozenset[str] | None = None
        self._open()

    def _open(self) -> None:
        try:
            self.raw = opening.connect(self.address.url, self._application)
        except psycopg.Error as error:
            raise errors.connection_error(error, self.shown) from None
        self._pid = os.getpid()
        self._cursor = self.raw.cursor()
        try:
            (facts,) = self._plainly(opening.settings(reads_only=self._reads_only))
            opening.refuse_unfit(self.shown, facts)
        except BaseException:
            self.raw.close()
            raise
        self.has_pooler = int(facts[3]) != self.raw.info.backend_pid

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, be it one in which a statement failed."""
        return self.raw.info.transaction_status in _OPEN

    def close(self) -> None:
        """End the session."""
        self.raw.close()

    def let_go(self) -> None:
        """Free the locks of the session, and end it: else the server takes a moment to notice."""
        try:
            self._plainly("SELECT pg_advisory_unlock_all()")
        except errors.LostConnectionError:
            pass  # the server has freed them then
        finally:
            self.close()

    def __del__(self) -> None:
        """A session that nobody has any more ends, as a connection to a file does.

        A fork leaves its parent's alone.
        """
        if getattr(self, "_pid", None) == os.getpid():
            self.raw.close()

    def execute(self, sql: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> Cursor:
        """Run a statement as it is written for SQLite."""
        whole = _TRANSACTIONS.get(sql)
        if whole is not None:
            return whole(self)
        text = translated(sql)
        if self.in_transaction or not _reads(text.text):
            return self._run(text, params)
        return self._patiently(lambda: self._run(text, params))

    def _patiently(self, ask: Callable[[], T]) -> T:
        """What changes nothing is asked again on a new session where this one was cut."""
        until = time.monotonic() + self._patience
        while True:
            try:
                if self.raw.closed:
                    self._open()
                return ask()
            except errors.LostConnectionError:
                self.raw.close()
                if time.monotonic() > until:
                    raise
                time.sleep(_PAUSE)

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each of these, without what it gives."""
        try:
            self._cursor.executemany(translated(sql).text, rows)
        except psycopg.Error as error:
            raise self._told(error) from None

    def _run(self, text: Text, params: Any) -> Cursor:
        asked = text.text
        gives_id = bool(text.inserts) and text.inserts in self._tables_with_ids()
        if gives_id:
            asked += " RETURNING id"
        cursor = self._cursor
        try:
            cursor.execute(asked, params if text.marked else None)
        except psycopg.DataError as error:
            if error.sqlstate is not None or not text.marked:
                raise self._told(error) from None
            return self._run(text, _storable(params))
        except psycopg.Error as error:
            raise self._told(error) from None
        if cursor.description is None:
            return Cursor([], cursor.rowcount)
        rows = cursor.fetchall()
        if gives_id:
            return Cursor([], cursor.rowcount, rows[-1][0] if rows else None)
        return Cursor(rows, -1 if _reads(asked) else cursor.rowcount)

    def _tables_with_ids(self) -> frozenset[str]:
        if self._ids is None:
            self._ids = frozenset(row[0] for row in self._plainly(_IDS))
        return self._ids

    def _plainly(self, text: str) -> list[Any]:
        """Run statements without parameters in one go; the rows of the last one."""
        cursor = self._cursor
        try:
            cursor.execute(text, prepare=False)
            rows: list[Any] = []
            while True:
                rows = cursor.fetchall() if cursor.description is not None else []
                if not cursor.nextset():
                    return rows
        except psycopg.Error as error:
            raise self._told(error) from None

    def begin(self) -> Cursor:
        """Begin a transaction that writes: the only one of this database, until it ends."""
        try:
            text = _BEGIN if self.epoch is None else _BEGIN_LEADING
            (row,) = self._patiently(lambda: self._plainly(text))
        except errors.ServerError:
            self.roll_back()
            raise
        self.xid = row[0]
        if self.epoch is not None and row[1] != self.epoch:
            self.roll_back()
            raise LostLeadError
        return _NOTHING

    def commit(self) -> Cursor:
        """Commit, and ring for those who wait for changes.

        Where the answer is lost the server is asked, on a new session, what became of it:
        `LostConnectionError` says that nothing was committed.
        """
        try:
            self._plainly(_COMMIT)
        except errors.LostConnectionError:
            if not self._has_committed():
                raise
        return _NOTHING

    def _has_committed(self) -> bool:
        """Whether the transaction whose answer was lost is committed."""
        query = f"SELECT pg_xact_status('{self.xid}'::xid8)"
        while True:
            ((status,),) = self._patiently(lambda: self._plainly(query))
            if status != "in progress":
                return bool(status == "committed")
            time.sleep(_PAUSE)

    def roll_back(self) -> Cursor:
        """Take back what the open transaction did."""
        if self.in_transaction:
            self._plainly("ROLLBACK")
        return _NOTHING

    def _told(self, error: psycopg.Error) -> Exception:
        return errors.translated(error, self.shown, closed=self.raw.closed)


_NOTHING: Final = Cursor([], -1)
_TRANSACTIONS: Final = {
    BEGIN: Connection.begin,
    "COMMIT": Connection.commit,
    "ROLLBACK": Connection.roll_back,
}


def _reads(text: str) -> bool:
    return text.lstrip()[:6].upper() in ("SELECT", "WITH")


def _storable(params: Any) -> Any:
    """Parameters without NUL characters, which a text of PostgreSQL cannot hold."""

    def clean(value: Any) -> Any:
        return value.replace("\0", "\ufffd") if isinstance(value, str) else value

    if isinstance(params, dict):
        return {name: clean(value) for name, value in params.items()}
    return [clean(value) for value in params]
