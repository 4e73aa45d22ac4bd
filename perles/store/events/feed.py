"""What one subscriber of this process has not seen yet: from the hub, or read by itself."""

from __future__ import annotations

import fnmatch
import re
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

from perles.store.events.hub import Hub, joined
from perles.store.events.reads import EventFilter, globs_of, last_seq, read_events
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
        self._types, self._exclude = _pattern(wanted.types), _pattern(wanted.exclude)
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
        if self._types is not None and not self._types.match(event["type"]):
            return False
        if self._exclude is not None and self._exclude.match(event["type"]):
            return False
        workflows = self._wanted.workflows
        return not workflows or event["workflow_id"] in workflows


def _pattern(given: Sequence[str]) -> re.Pattern[str] | None:
    """What fits one of these globs, as SQLite reads them: `[^…]` is what fnmatch writes `[!…]`."""
    globs = [fnmatch.translate(glob.replace("[^", "[!")) for glob in globs_of(given)]
    return re.compile("|".join(globs)) if globs else None
