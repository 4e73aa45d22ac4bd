"""`perles logs`: what agents printed, from their files."""

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from perles.agents.builtin.secrets import handed_over
from perles.agents.provider import Parser, find
from perles.cli.options import Json, WorkflowIds
from perles.cli.output import age, json_text, print_line, warn
from perles.cli.transcript import lines_of
from perles.config.home import Paths, home
from perles.config.load import load
from perles.config.provider_settings import Providers, secrets_handed_out
from perles.controlplane.quick import Reads
from perles.domain.errors import UsageError
from perles.domain.explanations import first_line
from perles.domain.moments import parse_moment
from perles.domain.secrecy import longest_first, masked
from perles.domain.text import clean, settled
from perles.executor.contract import TurnFiles
from perles.executor.local.output import lines_at
from perles.workspace import door

if TYPE_CHECKING:
    from perles.controlplane.quick import TurnOutput

LOOK_SECONDS: Final = 0.1
MAX_LINE: Final = 1024 * 1024
"""Bytes of one line that are shown; the file has all of it."""


def command(
    ids: WorkflowIds,
    agent: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this agent, such as worker-1.")
    ] = None,
    turn: Annotated[
        int | None, typer.Option(metavar="N", help="Only the agent's turn with this number.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing new output.")
    ] = False,
    tail: Annotated[
        int | None, typer.Option(metavar="N", help="Print only the last N lines at first.")
    ] = None,
    since: Annotated[
        str | None,
        typer.Option(metavar="TIME", help="Only turns that printed since then, such as 1h."),
    ] = None,
    stderr: Annotated[bool, typer.Option("--stderr", help="Print standard error instead.")] = False,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Print lines unchanged: no headings, secrets unmasked."),
    ] = False,
    json: Json = False,
) -> None:
    """Print the output of agents, turn by turn."""
    if tail is not None and tail < 0:
        raise UsageError(f"cannot print the last {tail} lines: --tail is 0 or more")
    if turn is not None and turn < 1:
        raise UsageError(f"cannot show turn {turn}: turns are numbered from 1")
    _print(ids, _Wanted(agent, turn, follow, tail, since, stderr, raw, json))


class _Wanted(NamedTuple):
    """What is to be printed, as the options say it."""

    agent: str | None
    turn: int | None
    follow: bool
    tail: int | None
    since: str | None
    stderr: bool
    raw: bool
    json: bool


def _print(ids: Sequence[str], wanted: _Wanted) -> None:
    """Print what is there, and with `follow` what comes."""
    reads = Reads(Paths(home(os.environ)))
    since, stderr = wanted.since, wanted.stderr
    chosen = list(dict.fromkeys(reads.registry.resolve(id) for id in ids))
    secrets = {text for id in chosen for text in reads.secrets_of(id)}
    begin = None if since is None else parse_moment(since, datetime.now(UTC)).timestamp()

    def turns() -> "list[TurnOutput]":
        found = []
        for id in chosen:
            some = reads.logs(id, agent=wanted.agent, turn=wanted.turn)
            if len(chosen) > 1:
                printer.call(some, id)
            found += [one for one in some if begin is None or _printed_since(one, stderr, begin)]
        return found

    sink = _Sink(wanted.tail)
    printer = _Printer(sink, stderr=stderr, raw=wanted.raw, as_json=wanted.json, secrets=secrets)
    found = turns()
    for one in found:
        printer.show(one)
    sink.open()
    _tell_of_others(reads, found)
    if wanted.follow:
        _follow(printer, turns, lambda: any(_is_running(reads, id) for id in chosen))
    elif not found:
        warn(f"no agent of {', '.join(chosen)} has had a turn {'since' if since else 'yet'}")


def _printed_since(turn: "TurnOutput", stderr: bool, begin: float) -> bool:
    try:
        return Path(turn.stderr if stderr else turn.stdout).stat().st_mtime >= begin
    except OSError:
        return turn.is_open  # it has printed nothing yet


def _tell_of_others(reads: Reads, turns: "Sequence[TurnOutput]") -> None:
    """Say where the output lies of turns that ran on another machine, of the same database."""
    missing = [turn for turn in turns if not Path(turn.stdout).parent.is_dir()]
    machine = reads.machine_of_outputs() if missing else None
    if machine is None:
        return
    for turn in missing:
        folder = os.path.relpath(Path(turn.stdout).parent, reads.paths.root)
        warn(
            f"the output of {turn.agent}, turn {turn.number}, is not in this home: it is in "
            f"{folder} in the home of the engine that ran it, on {machine}"
        )


def _is_running(reads: Reads, workflow_id: str) -> bool:
    return reads.state_of(workflow_id) in ("pending", "running", "paused")


def _follow(
    printer: "_Printer", turns: Callable[[], "Sequence[TurnOutput]"], running: Callable[[], bool]
) -> None:
    """Print what comes until the workflow has ended and everything is shown."""
    while True:
        goes_on = running()
        for one in turns():
            printer.show(one)
        sys.stdout.flush()
        if not goes_on:
            return
        time.sleep(LOOK_SECONDS)


class _Sink:
    """Where lines go: to standard output or, until it is opened, the last `tail` of them are kept.

    With `tail` None it is open from the beginning.
    """

    def __init__(self, tail: int | None) -> None:
        self._kept: deque[bytes] | None = None if tail is None else deque(maxlen=tail)

    def open(self) -> None:
        """Print what was kept, and from now on all at once."""
        kept, self._kept = self._kept, None
        if kept:
            self.put_bytes(b"".join(kept))

    def put(self, text: str) -> None:
        """One line, or several."""
        if self._kept is None:
            print_line(text, flush=False)
        else:
            self.put_bytes(f"{text}\n".encode(errors="replace"))

    def put_bytes(self, piece: bytes) -> None:
        """Whole lines as they are."""
        if self._kept is not None:
            self._kept.extend(piece.splitlines(keepends=True))
            return
        sys.stdout.flush()
        sys.stdout.buffer.write(piece)
        sys.stdout.buffer.flush()


class _Printer:
    """Prints turns, each from where it was left."""

    def __init__(
        self, sink: _Sink, *, stderr: bool, raw: bool, as_json: bool, secrets: set[str]
    ) -> None:
        self._sink = sink
        self._stderr, self._raw, self._json = stderr, raw, as_json
        self._workflows: dict[int, str] = {}
        self._providers = Providers() if raw else load().providers
        secrets |= secrets_handed_out(self._providers, os.environ)
        self._secrets = () if raw else longest_first(secrets)
        self._read: dict[int, _Reading] = {}
        self._ended: set[int] = set()
        self._last: int | None = None
        self._unknown: set[str] = set()

    def call(self, turns: "Sequence[TurnOutput]", workflow_id: str) -> None:
        """Tell these turns from those of other workflows."""
        self._workflows |= {turn.id: workflow_id for turn in turns}

    def show(self, turn: "TurnOutput") -> None:
        """Print what this turn printed since the last time."""
        if turn.id in self._ended:
            return
        if not self._raw and turn.id not in self._read:
            handed = handed_over(TurnFiles.at(Path(turn.stdout)).stdin)
            self._secrets = longest_first({*self._secrets, *handed})
        reading = self._read.setdefault(turn.id, _Reading(self._file(turn), self._parser(turn)))
        while piece := reading.piece(whole=not turn.is_open):
            self._print(turn, piece, reading.parser)
        if not turn.is_open:
            self._ended.add(turn.id)

    def _file(self, turn: "TurnOutput") -> Path:
        return Path(turn.stderr if self._stderr else turn.stdout)

    def _parser(self, turn: "TurnOutput") -> Parser | None:
        if self._raw or self._stderr:
            return None
        try:
            provider = find(turn.provider, self._providers.of(turn.provider))
        except UsageError as error:  # it is configured elsewhere: what it printed is still there
            if turn.provider not in self._unknown:
                self._unknown.add(turn.provider)
                warn(f"perles: {error}; its lines are shown as they came")
            return None
        return None if provider.prints_text_only and not self._json else provider.parser()

    def _print(self, turn: "TurnOutput", piece: bytes, parser: Parser | None) -> None:
        if self._raw and not (self._json or sys.stdout.isatty()):
            self._sink.put_bytes(piece)
            return
        if not (self._raw or self._json) and self._last != turn.id:
            self._head(turn)
        text = piece.decode(errors="replace").removesuffix("\n")
        if self._json:
            for line in text.split("\n"):
                self._object(turn, line, parser)
        elif parser is None:  # all at once: line by line costs ten times as much
            self._sink.put(masked(clean(settled(text), lines=True), self._secrets))
        elif shown := list(_shown(settled(text), parser)):
            self._sink.put(masked("\n".join(shown), self._secrets))

    def _object(self, turn: "TurnOutput", line: str, parser: Parser | None) -> None:
        about: dict[str, object] = {"agent": turn.agent, "turn": turn.number}
        if turn.id in self._workflows:
            about = {"workflow_id": self._workflows[turn.id], **about}
        if parser is None:
            found = {**about, "kind": "line", "text": line}
            self._sink.put(json_text(masked(found, self._secrets), line=True))
            return
        for event in parser.feed(settled(line)):
            found = {**about, "kind": str(event.kind), "text": event.text, "data": dict(event.data)}
            self._sink.put(json_text(masked(found, self._secrets), line=True))

    def _head(self, turn: "TurnOutput") -> None:
        first = "" if self._last is None else "\n"
        self._last = turn.id
        how = f"{first_line(turn.ending)}, {age(turn.started_at)}"
        where = f"{self._workflows[turn.id]} " if turn.id in self._workflows else ""
        head = f"{first}── {where}{turn.agent}, turn {turn.number}: {how}"
        self._sink.put(clean(head, lines=True))


def _shown(text: str, parser: Parser) -> Iterator[str]:
    for line in text.split("\n"):
        for event in parser.feed(line):
            yield from lines_of(event)


class _Reading:
    """One file, read on from an offset in pieces of whole lines."""

    def __init__(self, path: Path, parser: Parser | None) -> None:
        self.parser = parser
        self._path = path
        self._offset = 0

    def piece(self, *, whole: bool) -> bytes:
        """The next complete lines; `whole` takes a last one that is not complete too."""
        try:
            with door.reading(self._path) as file:
                piece, _ = lines_at(file.fileno(), self._offset, ended=whole, longest=MAX_LINE)
        except (FileNotFoundError, door.ReplacedError):
            return b""
        self._offset += len(piece)
        return piece
