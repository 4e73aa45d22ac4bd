"""Following the journal from another process.

A held connection is watched for commits of others, and reads only then. No transaction stays
open meanwhile, so a follower never holds up a checkpoint, and never the engine.
"""

import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from perles.store.events.reads import read_events
from perles.store.reads.connection import reading
from perles.store.sqlite.watch import POLL, Watch

BATCH: Final = 500


def tail(
    path: Path,
    *,
    since: int,
    workflow_id: str | None = None,
    types: Sequence[str] = (),
    stop: Callable[[], bool] = lambda: False,
) -> Iterator[dict[str, Any]]:
    """Events after seq `since`, in order, each once, as they are committed.

    Waits for a database that is not there yet. Ends when `stop` says so, which is
    asked at each look, once what is there has been given. Raises `DatabaseError`.
    """
    while True:
        with reading(path) as connection:
            if connection is not None:
                with closing(Watch(connection, path)) as watch:
                    yield from _follow(connection, watch, since, workflow_id, types, stop)
                return
        if stop():
            return
        time.sleep(POLL)


def _follow(
    connection: Any,
    watch: Watch,
    since: int,
    workflow_id: str | None,
    types: Sequence[str],
    stop: Callable[[], bool],
) -> Iterator[dict[str, Any]]:
    while True:
        stopping = stop()
        full = watch.changed() or stopping
        while full:
            events = read_events(
                connection, since=since, workflow_id=workflow_id, types=types, limit=BATCH
            )
            full = len(events) == BATCH
            since = events[-1]["seq"] if events else since
            yield from events
        if stopping:
            return
        watch.wait()
