"""Removing all rows of one workflow, in transactions so short that no writer is held up.

Foreign keys are not enforced on this connection: for each removed turn SQLite would
look through all messages there are. Each table is named here instead, children
first, and a test compares the list with the schema.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

from perles.store.place import ask_often, connect, take_over_log
from perles.store.reads.ended import ENDED
from perles.store.sqlite.errors import database_errors
from perles.store.sqlite.transactions import begin, roll_back

_PIECE: Final = 50
"""Rows that one statement removes: a millisecond's work."""
_LONG: Final = 0.004
"""Seconds after which a transaction removes no more."""
_IDLE: Final = 4
"""How many times as long the lock is free: a writer that was refused asks again, and gets it."""
_LEAST_IDLE: Final = 0.005

_AGENTS: Final = "agent_id IN (SELECT id FROM agents WHERE workflow_id = :id)"
_TASKS: Final = "task_id IN (SELECT id FROM tasks WHERE workflow_id = :id)"
_CHANNELS: Final = "channel_id IN (SELECT id FROM channels WHERE workflow_id = :id)"
_POSTS: Final = f"post_id IN (SELECT id FROM posts WHERE {_CHANNELS})"  # noqa: S608 - constants
_OWN: Final = "workflow_id = :id"

TABLES: Final = (
    ("inbox_acks", "seq IN (SELECT seq FROM events WHERE workflow_id = :id)"),
    ("events", _OWN),
    ("post_mentions", _POSTS),
    ("thread_members", _POSTS),
    ("inbox_items", _POSTS),
    ("channel_reads", _CHANNELS),
    ("acks", _POSTS),
    ("artifacts", _POSTS),
    ("posts", _CHANNELS),
    ("subscriptions", _AGENTS),
    ("channels", _OWN),
    ("questions", _OWN),
    ("messages", _AGENTS),
    ("turns", _OWN),
    ("task_comments", _TASKS),
    ("task_dependencies", _TASKS),
    ("tasks", _OWN),
    ("leases", _OWN),
    ("commands", _OWN),
    ("agents", _OWN),
    ("workflow_labels", _OWN),
)
"""Every table with rows of a workflow, referring tables before the ones that they refer to."""


_DELETES: Final = tuple(
    f"DELETE FROM {table} WHERE rowid IN (SELECT rowid FROM {table} WHERE {where} LIMIT :most)"  # noqa: S608
    for table, where in TABLES
)
_IS_ENDED: Final = f"SELECT 1 FROM workflows WHERE id = :id AND {ENDED}"  # noqa: S608 - constants
_FORGET_RETRIES: Final = "UPDATE workflows SET retried_from = NULL WHERE retried_from = :id"


class Remover:
    """Removes workflows in pieces, each as many rows as go away in a moment."""

    def __init__(self, path: Path, *, piece: int = _PIECE, seconds: float = _LONG) -> None:
        """A transaction goes on for `seconds`, with `piece` rows a statement."""
        self._path = path
        self._piece, self._seconds = piece, seconds
        self._connection = connect(path)
        ask_often(self._connection)

    def close(self) -> None:
        """Let go of the database."""
        self._connection.close()

    def remove(self, id: str, last: Callable[[], None] = lambda: None) -> bool:
        """Remove a workflow and all that belongs to it; whether it could still be removed.

        `last` is called when only the workflow's own row is left.
        """
        with database_errors(self._path):
            is_empty = False
            while not is_empty:
                found = self._transaction(id, self._delete_some)
                if found is None:
                    return False
                is_empty = found
            last()
            return self._transaction(id, self._delete_row) is not None

    def _transaction(self, id: str, work: Callable[[str], bool]) -> bool | None:
        """What `work` says, once committed; None, and nothing done, for one that may not go.

        The pause afterwards belongs to other writers, and to the log.
        """
        connection = self._connection
        begin(connection, self._path)
        begun = time.monotonic()
        try:
            if connection.execute(_IS_ENDED, {"id": id}).fetchone() is None:
                connection.execute("ROLLBACK")
                return None
            done = work(id)
            connection.execute("COMMIT")
        except BaseException:
            roll_back(connection)
            raise
        took = time.monotonic() - begun
        # Else the next writer would have to move our pages from the log to the database.
        take_over_log(connection)
        time.sleep(max(_LEAST_IDLE, _IDLE * took))
        return done

    def _delete_some(self, id: str) -> bool:
        """Delete for as long as a transaction may take; whether none is left."""
        until = time.monotonic() + self._seconds
        given = {"id": id, "most": self._piece}
        for statement in _DELETES:
            while self._connection.execute(statement, given).rowcount == self._piece:
                if time.monotonic() >= until:
                    return False
        return True

    def _delete_row(self, id: str) -> bool:
        self._connection.execute(_FORGET_RETRIES, {"id": id})
        self._connection.execute("DELETE FROM workflows WHERE id = :id", {"id": id})
        return True
