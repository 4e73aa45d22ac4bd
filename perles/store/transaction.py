"""One write transaction: rows that are inserted and changed, and events that wait for its end."""

from collections.abc import Mapping
from typing import Any, TypeVar

from perles.domain.states import ALL_RULES
from perles.store import place
from perles.store.pending_events import MOST, Mark, PendingEvents, nature
from perles.store.reader import Reader, detached
from perles.store.schema.base import Base
from perles.store.secrets import Secrets
from perles.store.sql import Sql, insert_of, names, plain, update_of

M = TypeVar("M", bound=Base)

_MACHINE_COLUMNS = frozenset({"state", "status", "phase"})
_HELD_BY_MACHINES = frozenset(
    {"workflows", "agents", "turns", "tasks", "commands", "questions", "nodes", "cluster"},
)
assert len(ALL_RULES) == len(_HELD_BY_MACHINES) + 1  # agents have two machines


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
            made = detached(model, row.__dict__ | dict(values))
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
