"""Statements and what they give over a session's line: several of them in one round trip.

With psycopg's cursors each costs three times as much, and a way to the server and back. A
statement that comes again and again is prepared.
"""

from __future__ import annotations

import select
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from psycopg import errors, pq
from psycopg.adapt import PyFormat, Transformer

from perles.store.postgres.rows import row_class

if TYPE_CHECKING:
    from collections.abc import Sequence

PREPARED: Final = 400
"""Statements that a session prepares at most."""
_OFTEN: Final = 3
"""At which use a statement is prepared."""
_KNOWN: Final = 4096
"""Statements whose uses are counted."""
_LOST: Final = "the server ended the connection"


class Part(NamedTuple):
    """One statement; its parameters are $1, $2 … in its text."""

    text: bytes
    values: Sequence[Any] = ()


class Answer(NamedTuple):
    """What a statement gave."""

    rows: list[Any] | None
    """None for one that gives none, such as an UPDATE."""
    changed: int
    """How many rows it changed, or gave."""


class _Known:
    """A text with parameters of certain types, as this session knows it."""

    __slots__ = ("name", "row", "uses")

    def __init__(self) -> None:
        self.uses = 0
        self.name = b""
        """Under which it is prepared; empty where it is not."""
        self.row: Any = None
        """The class of its rows, once it is prepared."""


class _Ready(NamedTuple):
    """A part with its parameters as the server takes them."""

    text: bytes
    data: Any
    types: tuple[int, ...]
    formats: Any
    known: _Known
    name: bytes
    """Under which it is prepared when its turn comes; empty where it is not."""
    is_new: bool
    """Whether it is to be prepared first."""


class Exchange:
    """The line of one session of psycopg, which a thread at a time uses.

    What is cut short while it waits, as by Ctrl-C, ends the session.
    """

    def __init__(self, raw: Any) -> None:
        self._raw, self._line = raw, raw.pgconn
        self._adapted = Transformer(raw)
        self._known: dict[tuple[bytes, tuple[int, ...]], _Known] = {}
        self._prepared = 0
        self._poll = select.poll()
        self._poll.register(self._line.socket, select.POLLIN)

    def ask(self, parts: Sequence[Part]) -> tuple[list[Answer], Exception | None]:
        """Send these at once: the answers up to the first that failed, and its error.

        Raises the driver's errors for what cannot be sent at all.
        """
        ready = [self._readied(part) for part in parts]
        try:
            if len(ready) == 1 and not ready[0].is_new:
                self._send(ready[0])
                results = self._results()
            else:
                results = self._pipelined(ready)
        except errors.Error as error:
            return [], error
        except BaseException:
            self._raw.close()
            raise
        return self._answered(ready, results)

    def script(self, text: str) -> list[Any]:
        """Run statements without parameters; the rows of the last. Raises the driver's errors."""
        try:
            self._line.send_query(text.encode())
            results = self._results()
        except BaseException:
            self._raw.close()
            raise
        rows = [self._answer(result, None).rows for result in results]
        return (rows[-1] if rows else None) or []

    def _readied(self, part: Part) -> _Ready:
        data, types, formats = None, (), None
        if part.values:
            adapted = self._adapted
            data = adapted.dump_sequence(part.values, [PyFormat.AUTO] * len(part.values))
            types, formats = adapted.types, adapted.formats
        known = self._known.get((part.text, types))
        if known is None:
            if len(self._known) >= _KNOWN:
                self._known = {key: one for key, one in self._known.items() if one.name}
            known = self._known[part.text, types] = _Known()
        known.uses += 1
        is_new = known.uses >= _OFTEN and not known.name and self._prepared < PREPARED
        if is_new:
            self._prepared += 1
            known.name = b"p%d" % self._prepared
        return _Ready(part.text, data, types, formats, known, known.name, is_new)

    def _send(self, ready: _Ready) -> None:
        if ready.name:
            self._line.send_query_prepared(ready.name, ready.data, ready.formats)
        else:
            self._line.send_query_params(ready.text, ready.data, ready.types, ready.formats)

    def _pipelined(self, parts: Sequence[_Ready]) -> list[Any]:
        """The results of all parts, without those of preparing."""
        line = self._line
        line.enter_pipeline_mode()
        for ready in parts:
            if ready.is_new:
                line.send_prepare(ready.name, ready.text, ready.types)
            self._send(ready)
        line.pipeline_sync()
        results = self._results(until=pq.ExecStatus.PIPELINE_SYNC)
        if line.status != pq.ConnStatus.BAD:
            line.exit_pipeline_mode()
        found = iter(results)
        return [result for ready in parts if (result := self._own_result(ready, found)) is not None]

    def _own_result(self, ready: _Ready, results: Any) -> Any:
        """The next result of a part; that of preparing it where this failed."""
        result = next(results, None)
        if ready.is_new and result is not None:
            own = next(results, None)
            if result.status == pq.ExecStatus.COMMAND_OK:
                return own
            ready.known.name = b""
        return result

    def _results(self, until: Any = None) -> list[Any]:
        """What comes up to this status, or up to the end."""
        line = self._line
        results: list[Any] = []
        while line.flush():
            self._wait(select.POLLIN | select.POLLOUT)
        while True:
            while line.is_busy():
                self._wait(select.POLLIN)
            result = line.get_result()
            if result is None:
                if until is None or line.status == pq.ConnStatus.BAD:
                    return results
            elif result.status == until:
                return results
            else:
                results.append(result)

    def _wait(self, events: int) -> None:
        self._poll.modify(self._line.socket, events)
        self._poll.poll()
        self._line.consume_input()

    def _answered(
        self, ready: Sequence[_Ready], results: Sequence[Any]
    ) -> tuple[list[Answer], Exception | None]:
        answers = []
        for one, result in zip(ready, results, strict=False):
            try:
                answers.append(self._answer(result, one.known))
            except errors.Error as error:
                return answers, error
        if len(answers) < len(ready):
            return answers, errors.OperationalError(_LOST)
        return answers, None

    def _answer(self, result: Any, known: _Known | None) -> Answer:
        """Raises the driver's error for a statement that failed."""
        status = result.status
        if status == pq.ExecStatus.TUPLES_OK:
            return Answer(self._rows(result, known), result.ntuples)
        if status in (pq.ExecStatus.COMMAND_OK, pq.ExecStatus.EMPTY_QUERY):
            return Answer(None, -1 if result.command_tuples is None else result.command_tuples)
        raise errors.error_from_result(result)

    def _rows(self, result: Any, known: _Known | None) -> list[Any]:
        if not result.ntuples:
            return []
        row = known.row if known is not None else None
        if row is None:
            row = row_class(tuple(result.fname(at).decode() for at in range(result.nfields)))
            if known is not None and known.name:
                known.row = row
        self._adapted.set_pgresult(result)
        rows: list[Any] = self._adapted.load_rows(0, result.ntuples, row)
        return rows
