"""What one subscriber of this process has not seen yet: from the hub, or read by itself."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Iterable
from functools import lru_cache
from typing import TYPE_CHECKING

from perles.store.events.hub import Hub, joined
from perles.store.events.reads import EventFilter, last_seq, read_events
from perles.store.reads.connection import Json, reading

if TYPE_CHECKING:
    from pathlib import Path

_BATCH = 500


class Feed:
    """The wanted events after seq `since`, in order, each once. Used by one thread at a time.

    `wake` is called, in another thread, when it may be worth while to `look`.
    """

    def __init__(
        self, path: Path, *, since: int, wanted: EventFilter, wake: Callable[[], None]
    ) -> None:
        self._path = path
        self._wanted = wanted
        self._wake = wake
        self.seq = since
        """All up to this one was given, or does not fit."""
        self._hub: Hub = joined(path, self, wake)

    def look(self) -> list[Json]:
        """The next of them, at most a batch; [] where there is none now. Raises `DatabaseError`."""
        found = self.look_in_memory()
        return self.look_in_database() if found is None else found

    def look_in_memory(self) -> list[Json] | None:
        """What the hub has; None where it must be read from the database."""
        while True:
            recent = self._hub.after(self.seq)
            if recent is None:
                return None
            if not recent.events:
                return []
            found = [event for event in recent.events if self._may_fit(event)]
            if found and self._wanted.labels:
                return None  # the labels that a workflow has now stand in the database alone
            self.seq = recent.newest
            if found:
                return found

    def look_in_database(self) -> list[Json]:
        """What is there now, as `look`."""
        with reading(self._path) as connection:
            newest = last_seq(connection)
            found = read_events(connection, since=self.seq, wanted=self._wanted, limit=_BATCH)
        last = int(found[-1]["seq"]) if found else self.seq
        # Events that do not fit are looked at once.
        self.seq = last if len(found) == _BATCH else max(last, newest)
        return found

    def close(self) -> None:
        """Be woken no more."""
        self._hub.leave(self)

    def _may_fit(self, event: Json) -> bool:
        wanted = self._wanted
        if wanted.types and not _matches(_words(wanted.types), event["type"]):
            return False
        if wanted.exclude and _matches(_words(wanted.exclude), event["type"]):
            return False
        return not wanted.workflows or event["workflow_id"] in wanted.workflows


def _words(given: Iterable[str]) -> tuple[str, ...]:
    return tuple(glob.strip() for text in given for glob in text.split(","))


@lru_cache(maxsize=256)
def _pattern(globs: tuple[str, ...]) -> re.Pattern[str]:
    """As SQLite reads globs: `[^…]` is what fnmatch writes `[!…]`."""
    return re.compile("|".join(fnmatch.translate(glob.replace("[^", "[!")) for glob in globs))


def _matches(globs: tuple[str, ...], type: str) -> bool:
    return _pattern(globs).match(type) is not None
