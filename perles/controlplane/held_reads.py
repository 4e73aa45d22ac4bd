"""The façade's reads for a screen that stays: a connection that is held and watched.

This is the one module by which the dashboard reaches the store: what it reads is named here,
and takes the connection that `Held` opened.
"""

from __future__ import annotations

from contextlib import AbstractContextManager, ExitStack, closing
from typing import TYPE_CHECKING, Final

from perles.store.events.reads import last_seq as last_seq
from perles.store.place import engine_lock, shown
from perles.store.reads import dashboard as dashboard
from perles.store.reads import engine as engine
from perles.store.reads import fabric as fabric
from perles.store.reads import inbox as inbox
from perles.store.reads import names as names
from perles.store.reads import search as search
from perles.store.reads.connection import file_at, reading
from perles.store.reads.current_work import Wait as Wait
from perles.store.reads.current_work import doings as doings
from perles.store.reads.dashboard import MANY as MANY
from perles.store.reads.dashboard import SORTS as SORTS
from perles.store.reads.dashboard import Totals as Totals
from perles.store.reads.nodes import cluster as cluster
from perles.store.reads.nodes import homes as homes
from perles.store.reads.nodes import nodes as nodes
from perles.store.reads.references import resolve
from perles.store.reads.resources import places as places
from perles.store.reads.resources import waits_in_line as waits_in_line
from perles.store.reads.tasks import details as details
from perles.store.reads.turns import secrets_of as secrets_of
from perles.store.reads.unread import unread_posts as unread_posts
from perles.store.reads.workflow import count_tasks as count_tasks
from perles.store.reads.workflow import foremost_tasks as foremost_tasks
from perles.store.sqlite.errors import database_errors
from perles.store.version import HEAD, schema_version
from perles.store.watching import QUIET, Watch, watched

if TYPE_CHECKING:
    from pathlib import Path

    from perles.store.reads.connection import Connection as Connection
    from perles.store.reads.connection import Row as Row

_BUSY_SECONDS: Final = 0.05
"""How long a read may wait for a lock: the screen must not stand still."""


class Held:
    """A connection to one database that is kept open, for as long as its file is the same."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = engine_lock(path)
        self._stack = ExitStack()
        self._watch: Watch | None = None
        self.file: tuple[int, int] | None = None
        """Which file stood there when it was last looked for; always one for a server's."""
        self.connection: Connection | None = None
        """None where there is no database, or where it could not be opened."""
        self.name = shown(path)
        """As errors name the database."""

    @property
    def fd(self) -> int | None:
        """Readable when it is worth while to ask `committed` before `patience` is over."""
        if self._watch is None or self.patience < QUIET:
            return None
        return self._watch.fd

    @property
    def patience(self) -> float:
        """Seconds until `committed` should be asked again."""
        return QUIET if self._watch is None else self._watch.patience()

    def errors(self) -> AbstractContextManager[None]:
        """Raises `DatabaseError` for what the driver raises inside."""
        return database_errors(self._path)

    def has_moved(self) -> bool:
        """Whether another file stands there than the one that is open, or none is open."""
        before, self.file = self.file, file_at(self._path)
        return self.file != before or self.connection is None

    def open(self) -> None:
        """Open what stands there now. Raises `PerlesError`."""
        self.close()
        opened = reading(self._path, timeout=_BUSY_SECONDS)
        connection = self._stack.enter_context(opened)
        if connection is not None:
            self._watch = self._stack.enter_context(closing(watched(connection, self._path)))
        self.connection = connection

    def close(self) -> None:
        """Let go of the database."""
        self._stack.close()
        self.connection = self._watch = None

    def committed(self) -> bool:
        """Whether others committed since this was asked last. Raises `DatabaseError`."""
        if self._watch is None:
            return False
        with self.errors():
            return self._watch.changed()

    def is_current(self) -> bool:
        """Whether its schema is still ours. Raises `DatabaseError`."""
        if self.connection is None:
            return True
        with self.errors():
            return schema_version(self.connection) == HEAD

    def engine_runs(self) -> bool:
        """Whether an engine holds it now."""
        return self._lock.is_held()

    def trouble(self) -> str:
        """What keeps the engine from its work; "" where nothing. Raises `DatabaseError`."""
        if self.connection is None:
            return ""
        with self.errors():
            return engine.trouble(self.connection) or ""


def opened(path: Path) -> AbstractContextManager[Connection | None]:
    """A connection for one request, as `Held.connection`; None where there is no database."""
    return reading(path)


def workflow_id(path: Path, ref: str) -> str:
    """The id for an id, a prefix or a name. Raises `NotFoundError`, `AmbiguousIdError`."""
    with reading(path) as connection:
        return resolve(connection, ref)


def errors_of(path: Path) -> AbstractContextManager[None]:
    """Raises `DatabaseError` for what the driver raises inside."""
    return database_errors(path)
