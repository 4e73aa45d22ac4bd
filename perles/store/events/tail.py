"""Following the journal from another process.

A held connection is watched for commits of others, and reads only then. No transaction stays
open meanwhile, so a follower never holds up a checkpoint, and never the engine.
"""

import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any, Final

from perles.store.events.reads import EVERY, EventFilter, last_seq, read_events
from perles.store.reads.connection import reading
from perles.store.watching import POLL, Watch, watched

BATCH: Final = 500


def tail(
    path: Path,
    *,
    since: int,
    wanted: EventFilter = EVERY,
    stop: Callable[[], bool] = lambda: False,
    poll: float = POLL,
) -> Iterator[dict[str, Any]]:
    """The wanted events after seq `since`, in order, each once, as they are committed.

    While commits come one after the other it looks every `poll` seconds. Waits for a database
    that is not there yet. Ends when `stop` says so, which is asked at each look, once what is
    there has been given. Raises `DatabaseError`.
    """
    while True:
        with reading(path) as connection:
            if connection is not None:
                with closing(watched(connection, path, poll=poll)) as watch:
                    yield from _follow(connection, watch, since, wanted, stop)
                return
        if stop():
            return
        time.sleep(POLL)


def _follow(
    connection: Any,
    watch: Watch,
    since: int,
    wanted: EventFilter,
    stop: Callable[[], bool],
) -> Iterator[dict[str, Any]]:
    while True:
        stopping = stop()
        full = watch.changed() or stopping
        while full:
            # Events that do not fit are looked at once, not again after every commit.
            newest = last_seq(connection) if any(wanted) else since
            events = read_events(connection, since=since, wanted=wanted, limit=BATCH)
            full = len(events) == BATCH
            last = events[-1]["seq"] if events else since
            since = last if full else max(last, newest)
            yield from events
        if stopping:
            return
        watch.wait()
