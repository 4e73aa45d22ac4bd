"""Reading for the screen: a held connection, and only what can be seen.

The connection is watched for commits of others; no transaction stays open
between two looks. What cannot be read leaves the last view standing, with a banner.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from perles.controlplane.held_reads import Held, Totals, cluster, dashboard, engine, inbox, nodes
from perles.dashboard.model.columns import shows_words
from perles.dashboard.model.preview import Preview, preview_rows
from perles.dashboard.model.state import (
    NOBODY,
    Inside,
    State,
    View,
    attention,
    selected_id,
    table_rows,
)
from perles.dashboard.reading.current_work import Waits
from perles.dashboard.reading.detail import read_inside
from perles.dashboard.reading.jump import Names
from perles.dashboard.reading.last_words import LastWords
from perles.dashboard.reading.preview import Previews
from perles.domain.errors import PerlesError
from perles.domain.explanations import RESTARTED

if TYPE_CHECKING:
    from perles.controlplane.held_reads import Connection

LOOK_SECONDS: Final = 0.5
"""How often the engine's lock and the file itself are looked at."""
SUM_SECONDS: Final = 1.0
"""How old sums and orders other than the default may be."""


class Source:
    """What the screen shows of one database."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held = Held(path)
        self._look_at = 0.0
        self._engine = True
        self._trouble = ""
        self._banner = ""
        self._order_key: Any = None
        self._order_at = 0.0
        self._order_stale = False
        self._ids: list[str] = []
        self._total = 0
        self._totals = Totals()
        self._waiting: Sequence[Mapping[str, Any]] = ()
        self._sums_at = 0.0
        self._sums_stale = True
        self.error: PerlesError | None = None
        """Why nothing can be read now."""
        self._cluster: Mapping[str, Any] | None = None
        self._limits: Mapping[str, float] = {}
        self._waits = Waits()
        self._previews = Previews()
        self._names = Names()
        self._words = LastWords()
        self._attention = NOBODY

    def close(self) -> None:
        """Let go of the database."""
        self._held.close()

    @property
    def fd(self) -> int | None:
        """Readable when it is worth while to ask `changed` before `patience` is over."""
        return self._held.fd

    @property
    def patience(self) -> float:
        """Seconds until `changed` should be asked again."""
        return self._held.patience

    def changed(self) -> bool:
        """Whether another process committed, or the engine or the file came or went."""
        now = time.monotonic()
        found = False
        if now >= self._look_at:
            self._look_at = now + LOOK_SECONDS
            found = self._look()
        try:
            committed = self._held.committed()
            is_current = not committed or self._held.is_current()
        except PerlesError as error:
            return self._fail(error)
        if committed:
            self._order_stale = self._sums_stale = True
            found = True
            if not is_current:
                self._open()  # another Perles changed the schema: it tells whether we can read
        return (
            found
            or (self._order_stale and now - self._order_at >= SUM_SECONDS)
            or (self._sums_stale and now - self._sums_at >= SUM_SECONDS)
        )

    def view(self, state: State, last: View, size: tuple[int, int]) -> View:
        """What this state shows now; the last view with a banner where reading fails."""
        view = last._replace(
            size=size,
            now=time.time(),
            engine=self._engine,
            trouble=self._trouble,
            banner=self._banner,
        )
        if self._held.connection is None:
            return view
        try:
            with self._held.errors():
                return self._read(self._held.connection, state, view)
        except PerlesError as error:
            self._fail(error)
            return view._replace(banner=self._banner)

    def _look(self) -> bool:
        before = (self._engine, self._trouble, self._banner, self._held.file)
        self._engine = self._held.engine_runs()
        if self._held.has_moved():
            self._open()
        self._trouble = self._told_trouble()
        return before != (self._engine, self._trouble, self._banner, self._held.file)

    def _told_trouble(self) -> str:
        """What keeps an engine from its work that runs, or is being started again."""
        try:
            told = self._held.trouble()
            return told if self._engine or told == RESTARTED else ""
        except PerlesError as error:
            self._fail(error)
            return ""

    def _open(self) -> None:
        try:
            self._held.open()
            self.error = None
        except PerlesError as error:
            self.error = error
            self._banner = self._said(error)
            return
        self._order_key = None
        self._sums_stale = True
        had = bool(self._ids)
        self._banner = (
            f"the database is gone: {self._path}" if had and self._held.file is None else ""
        )

    def _fail(self, error: PerlesError) -> bool:
        """Tell what is wrong; the next look opens the database anew."""
        before, self._banner = self._banner, self._said(error)
        self.error = error
        self.close()
        return before != self._banner

    def _said(self, error: PerlesError) -> str:
        """The error for a line of the screen: the reason must not stand behind a long name."""
        name = self._held.name
        return str(error).replace(name, name.rpartition("/")[2])

    def _read(self, connection: Connection, state: State, view: View) -> View:
        self._read_order(connection, state)
        top = self._visible_top(state, view.size)
        wanted = self._ids[top : top + table_rows(view.size)]
        inside: Inside | None = None
        if state.screen == "table":
            wanted = [*wanted, *sorted(state.table.marked - set(wanted))]
        elif state.detail is not None:
            wanted = [state.detail.workflow_id]
        rows = {k: dict(row) for k, row in dashboard.rows(connection, wanted).items()}
        self._read_sums(connection, at_once=state.screen in ("inbox", "nodes"))
        self._waits.add(connection, rows, self._sums_at)
        if state.screen == "table" and shows_words(view.size[0]):
            self._words.add(connection, rows, self._sums_at)
        if state.detail is not None:
            inside = read_inside(connection, state.detail, rows.get(state.detail.workflow_id))
        return view._replace(
            ids=self._ids,
            rows=rows,
            total=self._total,
            totals=self._totals,
            limits=self._limits,
            work=engine.has_work(connection),
            inside=inside,
            preview=self._preview(connection, state, view.size),
            targets=self._names.look(connection, state, selected_id(state, view)),
            waiting=self._waiting,
            attention=self._attention,
            cluster=self._cluster,
            nodes=nodes(connection) if state.screen == "nodes" else (),
        )

    def _preview(
        self, connection: Connection, state: State, size: tuple[int, int]
    ) -> Preview | None:
        """The preview of the selected row, where the table leaves room for one."""
        ids, table = self._ids, state.table
        if state.screen != "table" or not preview_rows(table_rows(size), len(ids)):
            return None
        chosen = table.cursor_id if table.cursor_id in ids else ids[min(table.cursor, len(ids) - 1)]
        return self._previews.look(connection, str(chosen))

    def _read_order(self, connection: Connection, state: State) -> None:
        """The order of ids, read anew when it can be another by now."""
        words = state.table.filter.text.strip()
        now = time.monotonic()
        asked = (words, state.table.sort)
        known = self._order_key is not None and self._order_key[0] == asked
        if known and not self._order_stale:
            return
        newest = dashboard.newest(connection)
        same = known and self._order_key[1] == newest
        if same and now - self._order_at < SUM_SECONDS:
            return  # nothing new; what went away or moved is seen a little later
        total = dashboard.count(connection)
        plain = not words and state.table.sort == "created"
        same = same and self._total == total
        self._total = total
        self._order_key, self._order_at, self._order_stale = (asked, newest), now, False
        if same and plain:
            return
        self._ids = dashboard.order(connection, words, state.table.sort)

    def _read_sums(self, connection: Connection, *, at_once: bool) -> None:
        """The top line and the inbox, not older than `SUM_SECONDS`."""
        now = time.monotonic()
        if self._sums_stale and (at_once or now - self._sums_at >= SUM_SECONDS):
            self._sums_at, self._sums_stale = now, False
            today = datetime.now(UTC).date().isoformat()
            self._totals = dashboard.totals(connection, today)
            self._cluster = cluster(connection)
            self._limits = dashboard.limits(connection)
            self._waiting = inbox.inbox(connection)
            self._attention = attention(self._waiting)

    def _visible_top(self, state: State, size: tuple[int, int]) -> int:
        return max(0, min(state.table.top, len(self._ids) - table_rows(size)))
