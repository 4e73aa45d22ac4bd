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
from perles.store.postgres.bulk import bulk_insert, clean
from perles.store.postgres.exchange import Answer, Exchange, Part
from perles.store.postgres.opening import psycopg
from perles.store.postgres.text import translated
from perles.store.sqlite.backend import BEGIN

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

T = TypeVar("T")

PATIENCE: Final = 30.0
"""Seconds in which a session that was cut is opened again."""
PAUSE: Final = 0.1
"""Seconds between two attempts."""
WRITE: Final = 0x7065726C
"""The class of the advisory lock that a writing transaction holds; the schema is its number."""
_OPEN: Final = (psycopg.pq.TransactionStatus.INTRANS, psycopg.pq.TransactionStatus.INERROR)
_ERROR: Final = psycopg.pq.TransactionStatus.INERROR
_BEGIN: Final = (
    Part(b"BEGIN"),
    Part(b"SELECT pg_advisory_xact_lock(%d, hashtext(current_schema()))" % WRITE),
)
_LOOK: Final = Part(b"SELECT pg_current_xact_id()::text")
_LOOK_WHO_LEADS: Final = Part(
    b"SELECT pg_current_xact_id()::text, (SELECT epoch FROM leadership WHERE id = 1)"
)
_COMMIT: Final = (Part(b"NOTIFY perles"), Part(b"COMMIT"))
_SAVEPOINTS: Final = ("SAVEPOINT ", "RELEASE ")
_PIECE: Final = 100
"""Statements that `executemany` sends at once."""
_WAITING: Final = 10
"""Statements that wait at most: it bounds what they hold in memory."""
_IDS: Final = (
    "SELECT c.relname FROM pg_attribute a JOIN pg_class c ON c.oid = a.attrelid "
    "WHERE c.relnamespace = current_schema()::regnamespace AND c.relkind = 'r' "
    "AND a.attname = 'id' AND (a.attidentity <> '' OR a.atthasdef)"
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
    """One session of the server. A thread at a time uses it; `close` it.

    The begin of a transaction, savepoints and what `executemany` inserts go to the server with
    the statement that comes next, so their errors come with it, too.
    """

    def __init__(
        self,
        address: Address,
        *,
        application: str = "perles",
        reads_only: bool = False,
        patience: float = PATIENCE,
    ) -> None:
        """A session that is cut is opened again, for `patience` seconds; no statement waits longer
        for a lock. Raises the errors of `errors.py`, and `DatabaseError` for a server that will
        not do.
        """
        self.address, self.path, self.shown = address, address.path, shown(address.url)
        self._application = application
        self._reads_only, self._patience = reads_only, patience
        self.xid: str | None = None
        """The transaction that writes, or wrote last, as the server numbers it."""
        self.epoch: int | None = None
        """With it each transaction begins by looking whether this engine leads."""
        self._ids: frozenset[str] | None = None
        self._later: list[Part] = []
        """What goes to the server before the next statement."""
        self._is_begun = self._is_sent = False
        """Whether a transaction has begun here, and there."""
        self._open()

    def _open(self) -> None:
        try:
            self.raw = opening.connect(self.address.url, self._application)
        except psycopg.Error as error:
            raise errors.connection_error(error, self.shown) from None
        self._pid = os.getpid()
        self._exchange = Exchange(self.raw)
        try:
            rules = opening.settings(reads_only=self._reads_only, patience=self._patience)
            (facts,) = self.script(rules)
            opening.refuse_unfit(self.shown, facts)
        except BaseException:
            self.raw.close()
            raise
        self.has_pooler = int(facts[3]) != self.raw.info.backend_pid

    @property
    def in_transaction(self) -> bool:
        """Whether a transaction is open, be it one in which a statement failed."""
        return self._is_begun and not (self._is_sent and self._status() not in _OPEN)

    @property
    def is_spoiled(self) -> bool:
        """Whether a statement failed in the open transaction: it can only be taken back."""
        return bool(self._status() == _ERROR)

    def _status(self) -> Any:
        return self.raw.pgconn.transaction_status

    def backend(self) -> int:
        """The process of the server that serves it now: behind a pooler it may be another's, too.

        Nothing is prepared for it: what was, would be in that other one's way.
        """
        return int(self.script("SELECT pg_backend_pid()")[0][0])

    def close(self) -> None:
        """End the session."""
        self.raw.close()

    def let_go(self) -> None:
        """Free the locks of the session, and end it: else the server takes a moment to notice."""
        try:
            self.script("SELECT pg_advisory_unlock_all()")
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

    # Statements.

    def execute(self, sql: str, params: Sequence[Any] | Mapping[str, Any] = ()) -> Cursor:
        """Run a statement as it is written for SQLite."""
        whole = _TRANSACTIONS.get(sql)
        if whole is not None:
            return whole(self)
        if sql.startswith(_SAVEPOINTS):
            self._later.append(Part(sql.encode()))
            return _NOTHING
        text = translated(sql)
        gives_id = bool(text.inserts) and text.inserts in self._tables_with_ids()
        asked = text.text + b" RETURNING id" if gives_id else text.text
        part = Part(asked, self._storable(text.values(params)))
        if self._is_begun or not text.reads:
            answer = self._run(part)
        else:
            answer = self._patiently(lambda: self._ask([part]))
        rows, count = answer
        if gives_id:
            return Cursor([], count, rows[-1][0] if rows else None)
        return Cursor(rows or [], -1 if text.reads else count)

    def executemany(self, sql: str, rows: Sequence[Sequence[Any]]) -> None:
        """Run a statement for each of these, without what it gives.

        Rows of an INSERT are one statement, which goes with the next one or with the commit.
        """
        bulk = bulk_insert(sql)
        if bulk is not None and self._is_begun:
            self._later.append(Part(bulk.text, (bulk.rows(rows),)))
            if len(self._later) >= _WAITING:
                self.catch_up()
            return
        text = translated(sql)
        parts = [Part(text.text, self._storable(text.values(row))) for row in rows]
        for at in range(0, len(parts), _PIECE):
            self._run(*parts[at : at + _PIECE])

    def catch_up(self) -> None:
        """Send what waits for the next statement."""
        if self._later or (self._is_begun and not self._is_sent):
            self._run()

    def _run(self, *parts: Part) -> Answer:
        """What the last of these gives, after what waits to go before it."""
        ahead, self._later = self._later, []
        if self._is_begun and not self._is_sent:
            return self._patiently(lambda: self._ask([*self._beginning(), *ahead, *parts]))
        if self._is_begun and self._status() not in _OPEN:
            error = psycopg.OperationalError("the transaction was cut off")
            raise errors.translated(error, self.shown, closed=True)
        return self._ask([*ahead, *parts])

    def _ask(self, parts: Sequence[Part]) -> Answer:
        self._is_sent = self._is_begun
        try:
            answers, failed = self._exchange.ask(parts)
        except psycopg.Error as error:
            raise self._told(error) from None
        if parts[0] is _BEGIN[0] and len(answers) > len(_BEGIN):
            self._look(answers[len(_BEGIN)])
        if failed is not None:
            raise self._told(failed) from None
        return answers[-1]

    def _patiently(self, ask: Callable[[], T]) -> T:
        """What changes nothing, or begins, is asked again on a new session if this one was cut."""
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
                time.sleep(PAUSE)

    def _storable(self, values: Sequence[Any]) -> Sequence[Any]:
        """Parameters without NUL characters, which a text of PostgreSQL cannot hold."""
        if any(isinstance(value, str) and "\0" in value for value in values):
            return [clean(value) for value in values]
        return values

    def _tables_with_ids(self) -> frozenset[str]:
        if self._ids is None:
            found = self.script(_IDS) if self._is_sent else self._patiently(self._read_ids)
            self._ids = frozenset(row[0] for row in found)
        return self._ids

    def _read_ids(self) -> list[Any]:
        return self.script(_IDS)

    def script(self, text: str) -> list[Any]:
        """Run statements of the server's own, without parameters, at once; the rows of the last."""
        try:
            return self._exchange.script(text)
        except psycopg.Error as error:
            raise self._told(error) from None

    # Transactions.

    def begin(self) -> Cursor:
        """Begin a transaction that writes: the only one of this database, until it ends.

        Its first statement waits for the one before, and raises `LostLeadError` where another
        engine leads.
        """
        if self.in_transaction:
            raise errors.StatementError("a transaction is open already")
        self._is_begun, self._is_sent, self._later = True, False, []
        return _NOTHING

    def _beginning(self) -> list[Part]:
        return [*_BEGIN, _LOOK if self.epoch is None else _LOOK_WHO_LEADS]

    def _look(self, answer: Answer) -> None:
        ((self.xid, *epochs),) = answer.rows or [(None,)]
        if epochs and epochs[0] != self.epoch:
            self._take_back()  # code that goes on all the same finds no transaction there
            raise LostLeadError

    def commit(self) -> Cursor:
        """Commit, and notify the processes that wait for changes.

        Where the answer is lost the server is asked, on a new session, what became of it:
        `LostConnectionError` says that nothing was committed.
        """
        if not self._is_begun:
            raise errors.StatementError("no transaction is open")
        if self._later and not self._is_sent:
            self.catch_up()  # who does not know the number of the transaction cannot ask for it
        if self._is_sent:
            try:
                self._run(*_COMMIT)
            except errors.LostConnectionError:
                if not self._has_committed():
                    raise
        self._is_begun = self._is_sent = False
        return _NOTHING

    def _has_committed(self) -> bool:
        """Whether the transaction whose answer was lost is committed."""
        query = f"SELECT pg_xact_status('{self.xid}'::xid8)"
        while True:
            ((status,),) = self._patiently(lambda: self.script(query))
            if status != "in progress":
                return bool(status == "committed")
            time.sleep(PAUSE)

    def roll_back(self) -> Cursor:
        """Take back what the open transaction did."""
        self._take_back()
        self._is_begun = self._is_sent = False
        return _NOTHING

    def _take_back(self) -> None:
        self._later = []
        if self._status() in _OPEN:
            self.script("ROLLBACK")

    def _told(self, error: psycopg.Error) -> Exception:
        return errors.translated(error, self.shown, closed=self.raw.closed)


_NOTHING: Final = Cursor([], -1)
_TRANSACTIONS: Final = {
    BEGIN: Connection.begin,
    "COMMIT": Connection.commit,
    "ROLLBACK": Connection.roll_back,
}
