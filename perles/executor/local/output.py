"""Reading what an agent printed: complete lines from a file, from an offset, in bounded pieces."""

import os
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import IO, Final

from perles.agents import bounds
from perles.agents.provider import AgentEvent, Kind, Parser
from perles.domain.text import settled
from perles.executor.contract import Batch
from perles.workspace import door

PIECE: Final = 256 * 1024
"""Bytes read at a time. A longer line is read in pieces of `MAX_LINE`."""
MAX_LINE: Final = 16 * 1024 * 1024
MAX_SHOWN: Final = 12 * 1024
"""Characters of text in one output event, and of one line in it."""
MAX_REPLAY: Final = 16 * 1024 * 1024
JOURNAL_LIMIT: Final = 4 * 1024 * 1024
"""Bytes of a turn's output that go to the journal. The file keeps all of it."""


def read_batch(
    path: Path,
    offset: int,
    parser: Parser,
    *,
    ended: bool,
    text_only: bool,
    held: int | None = None,
) -> Batch:
    """Read on from `offset`; `ended` takes a last line without its newline too.

    `held` is a descriptor of the file, where somebody holds it open.

    Past `JOURNAL_LIMIT` texts are left out, with one event that names file and
    offset; where the provider prints nothing but text, the rest is not even read.
    """
    if text_only and offset >= JOURNAL_LIMIT:
        with suppress(OSError), _opened(path) as file:
            return Batch([], max(os.fstat(file.fileno()).st_size, offset), True)
        return Batch([], offset, True)
    lines, taken, at_end = _lines(path, offset, ended=ended, held=held)
    events: list[AgentEvent] = []
    for start, line in lines:
        for made in parser.feed(line):
            event = bounds.event(made)
            if event is None or (event.kind is Kind.TEXT and start >= JOURNAL_LIMIT):
                continue
            events.append(_shortened(event, path, start))
    if offset < JOURNAL_LIMIT <= offset + taken:
        note = f"[output goes on in {path} at byte {offset + taken}]"
        events.append(AgentEvent(Kind.TEXT, note))
    return Batch(_merged(events), offset + taken, at_end)


def replay(path: Path, offset: int, parser: Parser) -> None:
    """Tell a fresh parser what stands before `offset`; nothing comes of it.

    Of a very long output it hears the beginning and the last `MAX_REPLAY` bytes.
    """
    start = 0
    while start < offset:
        lines, taken, _ = _lines(path, start, ended=False)
        for begin, line in lines:
            if begin < offset:
                parser.feed(line)
        start += taken
        if not taken:
            return
        if offset - start > MAX_REPLAY:
            start = _next_line(path, offset - MAX_REPLAY)


def _next_line(path: Path, offset: int) -> int:
    """Where the first line begins after `offset`."""
    with _opened(path) as file:
        file.seek(offset)
        return offset + len(file.readline())


def tail_of(path: Path, *, lines: int = 20, limit: int = 4096) -> list[str]:
    """The last lines of a file, at most `limit` bytes of them; [] when there is no such file."""
    reach = max(limit, PIECE)  # lines may be long only for what was drawn over
    try:
        with _opened(path) as file:
            size = file.seek(0, 2)
            file.seek(max(0, size - reach))
            piece = file.read(reach)
    except OSError:
        return []  # there is none, or it cannot be read any more
    found = [settled(line) for line in piece.decode(errors="replace").split("\n")]
    if not found[-1]:
        del found[-1]
    if size > reach and len(found) > 1:
        del found[0]
    return _last(found, lines, limit)


def is_longer(path: Path, *, lines: int, limit: int) -> bool:
    """Whether a file has more lines or bytes than these."""
    try:
        with _opened(path) as file:
            piece = file.read(limit + 1)
    except OSError:
        return False
    return len(piece) > limit or piece.count(b"\n") > lines


def _last(found: list[str], lines: int, limit: int) -> list[str]:
    """The last of these lines, as many as fit into `limit` bytes; of a longer one its end."""
    kept: list[str] = []
    for line in reversed(found[-lines:]):
        size = len(line.encode(errors="replace")) + 1
        if size > limit:
            if not kept:
                kept.append(line.encode(errors="replace")[-limit:].decode(errors="replace"))
            break
        limit -= size
        kept.append(line)
    return kept[::-1]


def _opened(path: Path) -> AbstractContextManager[IO[bytes]]:
    """The file at `path`, where it is one of ours; a descriptor of this process is."""
    return door.reading(path, foreign=path.is_relative_to("/proc"))


def follow_lines(path: Path, *, look: float = 0.2) -> Iterator[str]:
    """Lines that are appended to a file from now on, for ever; one that was rotated is reopened."""
    offset, rest = path.stat().st_size, b""
    while True:
        size = path.stat().st_size if path.exists() else 0
        if size < offset:
            offset, rest = 0, b""
        if size > offset:
            with path.open("rb") as file:
                file.seek(offset)
                piece = rest + file.read(PIECE)
                offset = file.tell()
            *lines, rest = piece.split(b"\n")
            yield from (line.decode(errors="replace") for line in lines)
        else:
            time.sleep(look)


def lines_at(file: int, offset: int, *, ended: bool, longest: int) -> tuple[bytes, bool]:
    """Whole lines of a descriptor from `offset` on, and whether the file ends behind what was read.

    A line over `longest` bytes comes in pieces; `ended` takes a last line without its newline too.
    """
    piece, at_end = _piece(file, offset, longest)
    end = piece.rfind(b"\n") + 1
    if (ended and at_end) or (end == 0 and len(piece) >= longest):
        end = len(piece)
    return piece[:end], at_end


def _lines(
    path: Path, offset: int, *, ended: bool, held: int | None = None
) -> tuple[list[tuple[int, str]], int, bool]:
    """Complete lines with where each begins, how many bytes they take, and whether that was all."""
    if held is not None:
        piece, at_end = lines_at(held, offset, ended=ended, longest=MAX_LINE)
    else:
        try:
            with _opened(path) as file:
                piece, at_end = lines_at(file.fileno(), offset, ended=ended, longest=MAX_LINE)
        except (FileNotFoundError, door.ReplacedError):
            return [], 0, True
    lines, start = [], 0
    for line in piece.split(b"\n"):
        if start < len(piece):
            lines.append((offset + start, settled(line.decode(errors="replace"))))
        start += len(line) + 1
    return lines, len(piece), at_end


def _piece(file: int, offset: int, longest: int) -> tuple[bytes, bool]:
    """Bytes from `offset` on, up to the end of a line, and whether the file ends there."""
    piece = os.pread(file, PIECE, offset)
    while b"\n" not in piece and len(piece) < longest:
        more = os.pread(file, PIECE, offset + len(piece))
        if not more:
            return piece, True
        piece += more
    return piece, not os.pread(file, 1, offset + len(piece))


def _shortened(event: AgentEvent, path: Path, start: int) -> AgentEvent:
    if len(event.text) <= MAX_SHOWN:
        return event
    cut = f"{event.text[:MAX_SHOWN]}… [cut, all of it in {path} at byte {start}]"
    return AgentEvent(event.kind, cut, event.data)


def _merged(events: list[AgentEvent]) -> list[AgentEvent]:
    """Neighbouring texts as one event, as long as that stays bounded."""
    result: list[AgentEvent] = []
    texts: list[str] = []
    length = 0
    for event in events:
        is_text = event.kind is Kind.TEXT
        if texts and not (is_text and length + len(event.text) < MAX_SHOWN):
            result.append(AgentEvent(Kind.TEXT, "\n".join(texts)))
            texts, length = [], 0
        if is_text:
            texts.append(event.text)
            length += len(event.text) + 1
        else:
            result.append(event)
    if texts:
        result.append(AgentEvent(Kind.TEXT, "\n".join(texts)))
    return result
