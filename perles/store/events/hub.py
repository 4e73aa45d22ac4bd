"""One reader of the journal for all subscribers of a process.

It reads each event once, keeps the newest, and wakes who waits. A subscriber that is further
behind than what is kept reads by itself, so a slow one holds up nobody and misses nothing.
"""

from __future__ import annotations

import os
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from contextlib import closing
from itertools import islice
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from perles.store.events.reads import last_seq, read_events
from perles.store.reads.connection import Json, reading
from perles.store.sqlite.watch import is_readable
from perles.store.watching import POLL, Watch, watched

if TYPE_CHECKING:
    from pathlib import Path

MOST_KEPT: Final = 4096
"""Events that are kept for subscribers."""
_BATCH: Final = 500
_ONE_LOOK: Final = (0.0,)
"""The pauses before looks where nothing told of a commit."""
_Wake = Callable[[], None]


class Recent(NamedTuple):
    """Events after a seq, in order; `newest` is the seq up to which that is all."""

    events: Sequence[Json]
    newest: int


class Hub:
    """The newest events of one database, for the subscribers in this process."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._lock = threading.Lock()
        self._kept: deque[Json] = deque(maxlen=MOST_KEPT)
        self._from = 0
        """All events after this seq, up to `newest`, are kept."""
        self.newest = 0
        self._wakes: dict[object, _Wake] = {}
        self._error: Exception | None = None
        self._ended = False
        self._follows = False
        self._thread = threading.Thread(target=self._run, name="perles-events", daemon=True)

    def join(self, key: object, wake: _Wake) -> bool:
        """Call `wake`, in the hub's thread, at each news; False where this hub has ended."""
        with self._lock:
            if self._ended:
                return False
            self._wakes[key] = wake
            if not self._thread.is_alive():
                self._thread.start()
        return True

    def leave(self, key: object) -> None:
        """Wake this one no more; without any the hub ends."""
        with self._lock:
            self._wakes.pop(key, None)

    def after(self, seq: int) -> Recent | None:
        """What is kept after `seq`, at most a batch; None where not all of it is kept.

        Raises what ended the hub, such as `DatabaseError`.
        """
        with self._lock:
            if self._error is not None:
                raise self._error
            if not self._follows or seq < self._from:
                return None
            if seq >= self.newest:
                return Recent((), self.newest)
            missing = sum(1 for _ in _newer(self._kept, seq))
            start = len(self._kept) - missing
            found = list(islice(self._kept, start, start + _BATCH))
        return Recent(found, found[-1]["seq"])

    def _run(self) -> None:
        try:
            while not self._is_left():
                with reading(self._path) as connection:
                    if connection is not None:
                        with closing(watched(connection, self._path)) as watch:
                            self._follow(connection, watch)
                        return
                time.sleep(POLL)
        except Exception as error:  # noqa: BLE001 - told to every subscriber, by `after`
            self._error = error
        finally:
            self._end()

    def _end(self) -> None:
        with self._lock:
            self._ended = True
            wakes = list(self._wakes.values())
        for wake in wakes:
            wake()

    def _is_left(self) -> bool:
        with self._lock:
            if not self._wakes:
                self._ended = True
            return self._ended

    def _follow(self, connection: Any, watch: Watch) -> None:
        watch.changed()
        with self._lock:
            self._from = self.newest = last_seq(connection)
            self._follows = True
        self._tell()
        while not self._is_left():
            is_told = _wait(watch)
            for pause in watch.looks if is_told else _ONE_LOOK:
                time.sleep(pause)
                if watch.changed():
                    self._take(connection)
                    break

    def _take(self, connection: Any) -> None:
        full = True
        while full:
            events = read_events(connection, since=self.newest, limit=_BATCH)
            full = len(events) == _BATCH
            if not events:
                return
            with self._lock:
                room = MOST_KEPT - len(self._kept)
                for event in islice(self._kept, max(0, len(events) - room)):
                    self._from = event["seq"]
                self._kept.extend(events)
                self.newest = events[-1]["seq"]
            self._tell()

    def _tell(self) -> None:
        with self._lock:
            wakes = list(self._wakes.values())
        for wake in wakes:
            wake()


def _newer(events: deque[Json], seq: int) -> Any:
    for event in reversed(events):
        if event["seq"] <= seq:
            return
        yield event


def _wait(watch: Watch) -> bool:
    """Sleep until something was written, or until it is time to look without being told.

    Whether it was told.
    """
    if watch.fd is None:
        time.sleep(watch.patience())
        return False
    is_told = is_readable(watch.fd, seconds=watch.patience())
    if is_told:
        watch.hear()
    return is_told


_HUBS: dict[tuple[int, str], Hub] = {}
_HUBS_LOCK: Final = threading.Lock()


def joined(path: Path, key: object, wake: _Wake) -> Hub:
    """The hub of this database in this process, which `wake`s from now on."""
    place = (os.getpid(), str(path))
    while True:
        with _HUBS_LOCK:
            hub = _HUBS.get(place)
            if hub is None:
                hub = _HUBS[place] = Hub(path)
        if hub.join(key, wake):
            return hub
        with _HUBS_LOCK:
            if _HUBS.get(place) is hub:
                del _HUBS[place]
