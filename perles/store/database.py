"""Connections and transactions: the one door through which the database is written.

Rules of every writing connection: WAL, `synchronous=FULL`, foreign keys on, a
busy timeout, and BEGIN IMMEDIATE for each transaction, so that a read inside it
is never stale when the write comes.
"""

import threading
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple, TypeVar

from perles.domain.clock import Clock, SystemClock, to_text
from perles.domain.states import ALL_RULES
from perles.store import place
from perles.store.pending_events import MOST, Mark, PendingEvents, nature
from perles.store.place import url_of
from perles.store.schema.base import Base
from perles.store.secrets import Secrets
from perles.store.sql import Sql, by_id, insert_of, names, plain, update_of
from perles.store.sqlite.driver import dbapi, open_writing
from perles.store.sqlite.errors import database_error, is_lost, is_unusable
from perles.store.sqlite.transactions import begin, roll_back
from perles.store.watching import Watch, watched

T = TypeVar("T")
M = TypeVar("M", bound=Base)

_PATIENCE = 30.0
"""Seconds in which a write whose connection to a server was cut is tried again."""
_MACHINE_COLUMNS = frozenset({"state", "status", "phase"})
_HELD_BY_MACHINES = frozenset(
    {"workflows", "agents", "turns", "tasks", "commands", "questions", "nodes", "cluster"},
)
assert len(ALL_RULES) == len(_HELD_BY_MACHINES) + 1  # agents have two machines


class Reader:
    """Reads rows on one connection. Rows come as detached models or as plain rows.

    Raises `DatabaseError` where the database at `path` cannot be read.
    """

    __slots__ = ("_connection", "_path")

    def __init__(self, connection: Any, path: Path | str = "perles.db") -> None:
        self._connection, self._path = connection, path

    def _ask(self, text: str, params: Any) -> Any:
        """The cursor of a statement: all of them pass here."""
        return self._connection.execute(text, params)

    def rows(self, sql: Sql, **params: Any) -> list[Any]:
        """All rows, each with access by column name."""
        try:
            found: list[Any] = self._ask(*sql.bind(params)).fetchall()
        except dbapi.Error as error:
            raise self._told(error) from error
        return found

    def row(self, sql: Sql, **params: Any) -> Any:
        """The first row, or None."""
        try:
            return self._ask(*sql.bind(params)).fetchone()
        except dbapi.Error as error:
            raise self._told(error) from error

    def value(self, sql: Sql, **params: Any) -> Any:
        """The first column of the first row, or None."""
        found = self.row(sql, **params)
        return None if found is None else found[0]

    def execute(self, sql: str, params: Sequence[Any] = (), /) -> list[Any]:
        """All rows of a statement that is plain text, as the modules of `store.reads` write it."""
        try:
            found: list[Any] = self._ask(sql, params).fetchall()
        except dbapi.Error as error:
            raise self._told(error) from error
        return found

    def take_over_log(self) -> None:
        """Move what is committed from the write-ahead log to the database."""
        try:
            place.take_over_log(self._connection)
        except dbapi.Error as error:
            raise self._told(error) from error

    def _told(self, error: Exception) -> Exception:
        """The error to raise for the driver's."""
        return database_error(self._path, error) if is_unusable(error) else error

    def watch(self, path: Path, *, settle: float, quiet: float) -> Watch:
        """Tells when others committed to the database at `path`, which this reads."""
        return watched(self._connection, path, settle=settle, quiet=quiet)

    def all(self, model: type[M], sql: Sql, **params: Any) -> list[M]:
        """All rows of a statement that selects the columns of `model`."""
        return [_detached(model, row) for row in self.rows(sql, **params)]

    def first(self, model: type[M], sql: Sql, **params: Any) -> M | None:
        """The first row of a statement that selects the columns of `model`, or None."""
        found = self.row(sql, **params)
        return None if found is None else _detached(model, found)

    def get(self, model: type[M], id: int | str) -> M | None:
        """The row with this primary key, or None."""
        return self.first(model, by_id(model), id=id)

    def need(self, model: type[M], id: int | str) -> M:
        """The row with this primary key. Raises `LookupError` where there is none."""
        found = self.get(model, id)
        if found is None:
            raise LookupError(f"no row {id!r} in {model.__tablename__}")
        return found


def _detached(model: type[M], row: Any) -> M:
    """A model with the columns of a row.

    Its constructor would set each with its history: twenty times the cost, a fifth of the engine's.
    """
    made = model.__new__(model)
    made.__dict__.update(dict(row))
    return made


class SpoiledError(Exception):
    """A transaction can only be rolled back: a statement failed in it, outside of a savepoint."""


class Tx(Reader):
    """One write transaction. `now` is its time, the same for all that it writes.

    Its rows may not hold a text of `secrets`. It keeps rows that it has read by their keys, with
    its changes: no other transaction writes meanwhile. Treat them as read-only.
    Events wait in it until `settle`, or until a statement could read them.
    """

    __slots__ = ("_events", "_has_savepoint", "_kept", "_piece", "now", "secrets")

    def __init__(self, connection: Any, now: str, secrets: Secrets) -> None:
        super().__init__(connection)
        self.now = now
        self.secrets = secrets
        self._kept: dict[str, dict[int | str, Any]] = {}
        self._events = PendingEvents()
        self._piece: Mark | None = None
        self._has_savepoint = False

    def _ask(self, text: str, params: Any) -> Any:
        writes, meets_events = nature(text)
        if writes and self._piece is not None:
            self._set_savepoint()
        if meets_events and self._events.are_waiting():
            self.settle()
        return self._connection.execute(text, params)

    def pend(self, event: tuple[Any, ...]) -> None:
        """Have an event written with others, in order: its values, as `COLUMNS` names them."""
        if self._events.add(event) >= MOST:
            self.settle()

    def settle(self) -> None:
        """Write the events that wait: the commit follows. Raises the driver's errors."""
        if self._piece is not None:
            self._set_savepoint()
        self._events.write(self._connection)

    def begin_piece(self) -> None:
        """Begin what can be taken back for itself."""
        self._piece = self._events.mark()

    def _set_savepoint(self) -> None:
        """Only for a piece that writes: most that fail have read alone."""
        if not self._has_savepoint:
            self._connection.execute("SAVEPOINT piece")
            self._has_savepoint = True

    def keep_piece(self) -> None:
        """Keep what was done since `begin_piece`."""
        if self._has_savepoint:
            self._connection.execute("RELEASE piece")
        self._piece, self._has_savepoint = None, False

    def undo_piece(self) -> None:
        """Undo what was done since `begin_piece`.

        Raises `SpoiledError` where a server takes nothing more of this transaction: what it did
        not understand was no write, so there is no savepoint to go back to.
        """
        assert self._piece is not None, "begin_piece comes first"
        if self._has_savepoint:
            self._connection.execute("ROLLBACK TO piece")
        elif place.is_spoiled(self._connection):
            raise SpoiledError
        self._events.take_back(self._piece)
        self._kept.clear()  # what was read may be no more
        self.keep_piece()

    def get(self, model: type[M], id: int | str) -> M | None:
        """The row with this primary key, or None."""
        rows = self._kept.setdefault(model.__tablename__, {})
        if id not in rows:
            rows[id] = super().get(model, id)
        found: M | None = rows[id]
        return found

    def kept(self, model: type[M], id: int | str) -> M | None:
        """The row with this primary key where it was read before."""
        return self._kept.get(model.__tablename__, {}).get(id)

    def keep(self, model: type[Base], id: int | str, row: Any, values: Mapping[str, Any]) -> None:
        """Keep a row as it is now: as it was read, None where it was not, with these values."""
        if row is not None:
            made = _detached(model, row.__dict__ | dict(values))
            self._kept.setdefault(model.__tablename__, {})[id] = made

    def _told(self, error: Exception) -> Exception:
        """Who runs the transaction has to know the driver's own: it may be tried again."""
        return error

    def run(self, sql: Sql, **params: Any) -> int:
        """Run a writing statement; the number of rows it changed.

        A parameter `id_` is the primary key of the only row that it may change.
        """
        rows = self._kept.get(sql.table)
        if rows is not None:
            if "id_" in params:
                rows.pop(params["id_"], None)
            else:
                rows.clear()
        return int(self._ask(*sql.bind(params)).rowcount)

    def insert(self, model: type[Base], /, **values: Any) -> int:
        """Insert a row, with its times; its rowid, which is its id where that is a number."""
        columns = model.__columns__
        values = {name: plain(value) for name, value in values.items()}
        for name in ("created_at", "updated_at"):
            if name in columns:
                values.setdefault(name, self.now)
        self._kept.pop(model.__tablename__, None)  # it may have been looked for before
        return int(self._ask(*insert_of(model, names(values)).bind(values)).lastrowid)

    def update(self, model: type[Base], id: int | str, /, **values: Any) -> None:
        """Change columns of one row, except columns that a state machine holds.

        Raises `LookupError` when the row is gone.
        """
        if model.__tablename__ in _HELD_BY_MACHINES and not _MACHINE_COLUMNS.isdisjoint(values):
            raise ValueError("a state changes through perles.store.transition.fire only")
        self.write(model, id, values)

    def write(self, model: type[Base], id: int | str, values: Mapping[str, Any]) -> None:
        """`update` without its guard; for this package."""
        bound = {name: plain(value) for name, value in values.items()}
        bound["updated_at"] = self.now
        row = self.kept(model, id)
        changed = self.run(update_of(model, names(bound)), id_=id, **bound)
        if changed != 1:
            raise LookupError(f"no row {id!r} in {model.__tablename__}")
        self.keep(model, id, row, bound)


class _Kept(NamedTuple):
    """The connection of `Database.write`, and which file it has open."""

    connection: Any
    file: tuple[int, int]
    close: Callable[[], object]


def _file_at(path: Path) -> tuple[int, int]:
    """What tells the file at a path from another one; (0, 0) where there is none."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return (0, 0)
    return (found.st_dev, found.st_ino)


class Database:
    """The database, opened for writing. One per process that writes."""

    epoch: int | None = None
    """By which an engine writes, once it leads: see `perles.store.leadership`."""

    def __init__(self, path: Path, clock: Clock | None = None) -> None:
        self.path = path
        self.clock = clock or SystemClock()
        self.is_file = url_of(path) is None
        self.secrets = Secrets()
        self._kept: _Kept | None = None
        self._writing = threading.Lock()

    def connect(self) -> Any:
        """A new driver connection under the rules of this module. Raises `DatabaseError`."""
        try:
            return (
                open_writing(str(self.path))
                if self.is_file
                else place.connect(self.path, self.epoch)
            )
        except dbapi.Error as error:
            raise database_error(self.path, error) from error

    def lead(self, epoch: int) -> None:
        """Write by this epoch from now on."""
        self.epoch = epoch
        self._drop_kept()

    def now(self) -> str:
        """The time as the database writes it."""
        return to_text(self.clock.now())

    @contextmanager
    def reader(self) -> Iterator[Reader]:
        """A connection to read on; each statement sees the newest committed state."""
        connection = self.connect()
        try:
            yield Reader(connection, self.path)
        finally:
            connection.close()

    def write(self, work: Callable[[Tx], T]) -> T:
        """Run `work` in one transaction and commit it; waits for other writers.

        Raises what `work` raises (nothing is written then), and `DatabaseError`.
        """
        with self._writing:
            until = time.monotonic() + _PATIENCE
            while True:
                try:
                    return self._write(work)
                except dbapi.Error as error:
                    if is_lost(error) and time.monotonic() < until:
                        continue  # nothing of it was committed; `begin` opens the session again
                    self._drop_kept()
                    raise database_error(self.path, error) from error

    def _write(self, work: Callable[[Tx], T]) -> T:
        connection = self._writer_connection()
        begin(connection, self.path)
        try:
            tx = Tx(connection, self.now(), self.secrets)
            result = work(tx)
            tx.settle()
            connection.execute("COMMIT")
        except BaseException:
            roll_back(connection)
            raise
        return result

    def _writer_connection(self) -> Any:
        """The connection of `write`, kept: opening one and closing the last one of a file, which
        brings the WAL into it, takes as long as ten writes. Another file needs another one."""
        if self._kept is not None and self.is_file and self._kept.file != _file_at(self.path):
            self._drop_kept()
        if self._kept is None:
            connection = self.connect()
            place.ask_often(connection)
            close = weakref.finalize(self, connection.close)
            self._kept = _Kept(connection, _file_at(self.path), close)
        return self._kept.connection

    def _drop_kept(self) -> None:
        if self._kept is not None:
            self._kept.close()
            self._kept = None

    def dispose(self) -> None:
        """Close what is kept open."""
        self._drop_kept()
