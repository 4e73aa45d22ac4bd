"""Following the journal from another process.

A held connection asks for `PRAGMA data_version`, which changes when another
connection commits, and reads only then. No transaction stays open meanwhile, so
a follower never holds up a checkpoint, and never the engine.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, Final

from perles.store import views

POLL: Final = 0.025
BATCH: Final = 500


def tail(
    path: Path,
    *,
    since: int,
    workflow_id: str | None = None,
    types: Sequence[str] = (),
    poll: float = POLL,
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[dict[str, Any]]:
    """Events after seq `since`, in order, each once, as they are committed.

    Waits for a database that is not there yet. Ends when `stop` says so, which is
    asked at each look, once what is there has been given. Raises `DatabaseError`.
    """
    while True:
        with views.reading(path) as connection:
            if connection is not None:
                yield from _follow(connection, since, workflow_id, types, poll, stop)
                return
        if stop():
            return
        time.sleep(poll)


def _follow(
    connection: Any,
    since: int,
    workflow_id: str | None,
    types: Sequence[str],
    poll: float,
    stop: Callable[[], bool],
) -> Iterator[dict[str, Any]]:
    seen = None
    while True:
        stopping = stop()
        version = connection.execute("PRAGMA data_version").fetchone()[0]
        if version != seen or stopping:
            seen = version
            while events := views.read_events(
                connection, since=since, workflow_id=workflow_id, types=types, limit=BATCH
            ):
                since = events[-1]["seq"]
                yield from events
        if stopping:
            return
        time.sleep(poll)
