"""The bus: events of all workflows, for subscribers in this process or another."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Final

from perles.domain.errors import UsageError
from perles.store.events.reads import EVERY, EventFilter, last_seq
from perles.store.events.tail import tail
from perles.store.reads.connection import Json, reading

if TYPE_CHECKING:
    from pathlib import Path

    from perles.store.transaction import Tx

    Write = Callable[[Callable[[Tx], Any]], Any]

NOTIFY: Final = "notify"
"""The cursor of the command of `notify:`, which the engine moves."""
MAX_NAME: Final = 100
"""Characters of a cursor's name."""


def never() -> bool:
    """Do not stop."""
    return False


class Subscription(Iterator[Json]):
    """The events of one subscriber, in order; waits for the next one until it is stopped.

    With a cursor, an event counts as handled when the next one is asked for, when the
    subscription is closed, or when its `with` block ends without an exception. An event that
    was being handled when the process was killed, or when the block raised, is delivered
    again; no other event is, and none is left out.
    """

    def __init__(self, events: Iterator[Json], keep: Callable[[int], None] | None = None) -> None:
        self._events = events
        self._keep = keep
        self._in_hand: int | None = None

    def __next__(self) -> Json:
        self._settle()
        event = next(self._events)
        self._in_hand = event["seq"]
        return event

    def close(self) -> None:
        """End the subscription; the event that was handed out last counts as handled."""
        self._settle()
        self._end()

    def __enter__(self) -> Subscription:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is None:
            self._settle()
        self._end()

    def _settle(self) -> None:
        if self._keep is not None and self._in_hand is not None:
            self._keep(self._in_hand)
        self._in_hand = None

    def _end(self) -> None:
        self._in_hand = None
        close = getattr(self._events, "close", None)
        if close is not None:
            close()


class CrossWorkflowEventBus:
    """Delivers the journal's events of all workflows to subscribers.

    It promises: events come in the order of their commits, each once, and none is left out,
    however slow the subscriber is; a subscriber never holds up the engine or another one. A
    subscription begins now, after seq `since`, or where its named `cursor` stands; a cursor
    outlives the process, and a new one begins at `since` or now. One subscriber at a time
    uses a cursor. Each subscription ends when `stop` says so, which is asked at each look.

    All raise `DatabaseError`, and `UsageError` for a name that no cursor can have.
    """

    def __init__(self, database_path: Path, write: Write | None = None) -> None:
        """`write` runs work in a transaction: cursors need it, other subscriptions do not."""
        self._path = database_path
        self._write = write

    def subscribe(
        self,
        *,
        since: int | None = None,
        cursor: str | None = None,
        stop: Callable[[], bool] = never,
    ) -> Subscription:
        """Events of all workflows, and of the engine itself."""
        return self._begin(EVERY, since, cursor, stop)

    def subscribe_workflow(
        self,
        workflow_id: str,
        *,
        types: str | Sequence[str] = (),
        since: int | None = None,
        cursor: str | None = None,
        stop: Callable[[], bool] = never,
    ) -> Subscription:
        """Events of one workflow, by its whole id; `types` are globs."""
        wanted = EventFilter(types=_texts(types), workflows=(workflow_id,))
        return self._begin(wanted, since, cursor, stop)

    def subscribe_filtered(
        self,
        *,
        types: str | Sequence[str] = (),
        exclude: str | Sequence[str] = (),
        workflows: str | Sequence[str] = (),
        labels: Mapping[str, str] | Sequence[tuple[str, str]] = (),
        since: int | None = None,
        cursor: str | None = None,
        stop: Callable[[], bool] = never,
    ) -> Subscription:
        """Events that fit each filter that is given.

        `types` and `exclude` are globs of types, `"task.*,turn.*"`; `workflows` are whole ids;
        `labels` are what the event's workflow must have, all of them, also where the workflow
        is created later.
        """
        pairs = labels.items() if isinstance(labels, Mapping) else labels
        wanted = EventFilter(_texts(types), _texts(exclude), _texts(workflows), tuple(pairs))
        return self._begin(wanted, since, cursor, stop)

    def forget(self, cursor: str) -> bool:
        """Remove a cursor, so that its next subscriber begins anew; whether there was one."""
        from perles.store.events import cursors

        name = checked_cursor(cursor)
        return bool(self._writer()(lambda tx: cursors.forget(tx, name)))

    def _begin(
        self, wanted: EventFilter, since: int | None, cursor: str | None, stop: Callable[[], bool]
    ) -> Subscription:
        keep = None
        if cursor is not None:
            since, keep = self._cursor(checked_cursor(cursor), since)
        elif since is None:
            with reading(self._path) as connection:
                since = last_seq(connection)
        return Subscription(tail(self._path, since=since, wanted=wanted, stop=stop), keep)

    def _cursor(self, name: str, since: int | None) -> tuple[int, Callable[[int], None]]:
        from perles.store.events import cursors

        write = self._writer()

        def keep(seq: int) -> None:
            write(lambda tx: cursors.move(tx, name, seq))

        return int(write(lambda tx: cursors.begin(tx, name, since))), keep

    def _writer(self) -> Write:
        if self._write is None:
            raise UsageError("cannot use a cursor here: this bus only reads")
        return self._write


def _texts(given: str | Sequence[str]) -> tuple[str, ...]:
    return (given,) if isinstance(given, str) else tuple(given)


def checked_cursor(name: str) -> str:
    """A cursor's name. Raises `UsageError`."""
    if name == NOTIFY:
        raise UsageError(f"cannot use the cursor {NOTIFY!r}: it is the engine's; take another name")
    if not name.strip() or len(name) > MAX_NAME or not name.isprintable():
        raise UsageError(
            f"cannot use the cursor {name[:MAX_NAME]!r}: give a name of 1 to {MAX_NAME} "
            "printable characters"
        )
    return name
