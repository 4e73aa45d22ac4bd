"""`perles logs`: what agents printed, from their files."""

import os
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from perles.agents.builtin.secrets import handed_over
from perles.agents.provider import Parser, find
from perles.cli.options import Json, WorkflowId
from perles.cli.output import age, print_json, say, warn
from perles.cli.transcript import lines_of
from perles.config.home import Paths, home
from perles.config.load import load
from perles.config.provider_settings import Providers, secrets_handed_out
from perles.controlplane.quick import Reads
from perles.domain.errors import UsageError
from perles.domain.explanations import first_line
from perles.domain.secrecy import longest_first, masked
from perles.domain.text import clean, settled
from perles.executor.contract import TurnFiles
from perles.workspace import door

if TYPE_CHECKING:
    from perles.controlplane.quick import TurnOutput

LOOK_SECONDS: Final = 0.1
PIECE: Final = 256 * 1024
MAX_LINE: Final = 1024 * 1024
"""Bytes of one line that are shown; the file has all of it."""


def command(
    id: WorkflowId,
    agent: Annotated[
        str | None, typer.Option(metavar="NAME", help="Only this agent, such as worker-1.")
    ] = None,
    turn: Annotated[
        int | None, typer.Option(metavar="N", help="Only the agent's turn with this number.")
    ] = None,
    follow: Annotated[
        bool, typer.Option("--follow", "-f", help="Keep printing new output.")
    ] = False,
    stderr: Annotated[bool, typer.Option("--stderr", help="Print standard error instead.")] = False,
    raw: Annotated[
        bool,
        typer.Option("--raw", help="Print lines unchanged: no headings, secrets unmasked."),
    ] = False,
    json: Json = False,
) -> None:
    """Print the output of agents, turn by turn."""
    if turn is not None and turn < 1:
        raise UsageError(f"cannot show turn {turn}: turns are numbered from 1")
    reads = Reads(Paths(home(os.environ)))
    workflow_id = reads.registry.resolve(id)
    secrets = reads.secrets_of(workflow_id)

    def turns() -> "Sequence[TurnOutput]":
        return reads.logs(workflow_id, agent=agent, turn=turn)

    printer = _Printer(stderr=stderr, raw=raw, as_json=json, secrets=secrets)
    found = turns()
    for one in found:
        printer.show(one)
    if follow:
        _follow(printer, turns, lambda: _is_running(reads, workflow_id))
    elif not found:
        warn(f"no agent of {workflow_id} has had a turn yet")


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


class _Printer:
    """Prints turns, each from where it was left."""

    def __init__(self, *, stderr: bool, raw: bool, as_json: bool, secrets: set[str]) -> None:
        self._stderr, self._raw, self._json = stderr, raw, as_json
        self._providers = Providers() if raw else load().providers
        secrets |= secrets_handed_out(self._providers, os.environ)
        self._secrets = () if raw else longest_first(secrets)
        self._read: dict[int, _Reading] = {}
        self._ended: set[int] = set()
        self._last: int | None = None
        self._unknown: set[str] = set()

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
            sys.stdout.flush()
            sys.stdout.buffer.write(piece)
            sys.stdout.buffer.flush()
            return
        if not (self._raw or self._json) and self._last != turn.id:
            self._head(turn)
        text = piece.decode(errors="replace").removesuffix("\n")
        if self._json:
            for line in text.split("\n"):
                self._object(turn, line, parser)
        elif parser is None:  # all at once: line by line costs ten times as much
            print(masked(clean(settled(text), lines=True), self._secrets))
        elif shown := list(_shown(settled(text), parser)):
            print(masked("\n".join(shown), self._secrets))

    def _object(self, turn: "TurnOutput", line: str, parser: Parser | None) -> None:
        about = {"agent": turn.agent, "turn": turn.number}
        if parser is None:
            found = {**about, "kind": "line", "text": line}
            print_json(masked(found, self._secrets), line=True)
            return
        for event in parser.feed(settled(line)):
            found = {**about, "kind": str(event.kind), "text": event.text, "data": dict(event.data)}
            print_json(masked(found, self._secrets), line=True)

    def _head(self, turn: "TurnOutput") -> None:
        first = "" if self._last is None else "\n"
        self._last = turn.id
        how = f"{first_line(turn.ending)}, {age(turn.started_at)}"
        say(f"{first}── {turn.agent}, turn {turn.number}: {how}")


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
                file.seek(self._offset)
                piece = file.read(PIECE)
                while b"\n" not in piece and len(piece) < MAX_LINE and (more := file.read(PIECE)):
                    piece += more
        except (FileNotFoundError, door.ReplacedError):
            return b""
        end = piece.rfind(b"\n") + 1
        if end == 0 and (whole or len(piece) >= MAX_LINE):
            end = len(piece)
        self._offset += end
        return piece[:end]
