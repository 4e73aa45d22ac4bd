"""Turns as processes of this machine."""

import asyncio
import signal
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TypedDict

from perles.agents.provider import Launch, Parser
from perles.executor.contract import (
    Batch,
    Exit,
    Gone,
    Identity,
    Process,
    Told,
    TurnFiles,
    TurnKey,
    Used,
)
from perles.executor.local import aside, launcher, processes, termination, usage, watermark
from perles.executor.local.forks import ForkServer
from perles.executor.local.identity import age, hold, is_alive, is_known, release
from perles.executor.local.output import tail_of
from perles.executor.local.output_file import Source
from perles.workspace import door


class _About(TypedDict):
    """Where and how a process is started."""

    cwd: Path
    env: Mapping[str, str]
    files: TurnFiles
    umask: int | None


class LocalProcess:
    """A turn's process on this machine: a session of its own, with its output in a file."""

    def __init__(
        self,
        turn: TurnKey,
        files: TurnFiles,
        identity: Identity | None,
        *,
        text_only: bool,
        forks: ForkServer | None = None,
    ) -> None:
        self._turn, self._forks = turn, forks or ForkServer()
        self.identity = identity
        self._files = files
        self._source = Source(files.stdout, text_only=text_only)
        self._is_child = self._is_command = False
        self._told: Told | None = None

    @property
    def turn(self) -> TurnKey:
        """Whose it is."""
        return self._turn

    async def start(
        self, launch: Launch, *, cwd: Path, env: Mapping[str, str], umask: int | None = None
    ) -> Identity:
        """Start it in a session of its own, unless it lives. Nothing is waited for."""
        return self.start_now(launch, cwd=cwd, env=env, umask=umask)

    def start_now(
        self, launch: Launch, *, cwd: Path, env: Mapping[str, str], umask: int | None = None
    ) -> Identity:
        """`start`, outside of an event loop, too."""
        # The kernel shows the environment of what was just started a moment later.
        is_ours = self._is_child and self.identity is not None and is_alive(self.identity)
        if self.identity is None or not (is_ours or self.lives()):
            about: _About = {"cwd": cwd, "env": env, "files": self._files, "umask": umask}
            if launch.command is None:
                self.identity = launcher.spawn(launch, **about)
            else:
                self.identity = launcher.lead(self._forks, launch, **about)
                self._is_command = True
            self._is_child = True
        return self.identity

    async def attach(self) -> bool:
        """Find its launcher by the turn's mark where its row does not name it."""
        return self.attach_now()

    def attach_now(self) -> bool:
        """`attach`, outside of an event loop, too."""
        if self.status() is None and not self.lives():
            self.identity = launcher.find_launcher(self._turn.marker, self._files)
        return self.lives()

    def lives(self) -> bool:
        """Whether the process that the row names lives, and has the turn's mark."""
        found = self.identity
        return found is not None and is_alive(found) and processes.carries(found, self._turn.marker)

    def when_ended(self, call: Callable[[], None]) -> None:
        """Call back when the kernel tells that it has ended."""
        loop = asyncio.get_running_loop()
        held = None if self.identity is None else hold(self.identity)
        if held is None:
            call()
            return

        def ended() -> None:
            loop.remove_reader(held)
            release(held)
            call()

        loop.add_reader(held, ended)

    def status(self) -> int | None:
        """The exit code that its launcher left."""
        return launcher.left_status(self._files.status)

    def told(self) -> Told | None:
        """What the leader of a command left, or told us where it could not leave it."""
        if self._told is None:
            self._told = launcher.left_words(self._files.status)
        if self._told is None and self._is_command and self.identity is not None:
            self._told = self._forks.ended(self.identity.pid)
        return self._told

    def reap(self) -> Exit | None:
        """Take the launcher's status, where we started it."""
        if not self._is_child or self.identity is None:
            return None
        if self._is_command:
            told = self.told()
            return None if told is None else Exit(launcher.from_shell(told.code), True)
        return launcher.reap(self.identity.pid)

    def ended_with_node(self) -> bool:
        """Never: this is the machine of who asks."""
        return False

    def size(self) -> int:
        """How large its output is."""
        return self._source.size(self.identity)

    def read(self, offset: int, parser: Parser, *, ended: bool) -> Batch:
        """Read on from an offset."""
        return self._source.read(offset, parser, self.identity, ended=ended)

    def replay(self, offset: int, parser: Parser) -> None:
        """Tell a parser what stands before an offset."""
        self._source.replay(offset, parser, self.identity)

    def piece(self, offset: int, most: int) -> bytes:
        """Bytes of its output, as they stand there. Raises `OSError`."""
        return self._source.piece(offset, most, self.identity)

    def written(self) -> int:
        """The size of its output and its errors."""
        return self.size() + door.size_of(self._files.stderr)

    def silence(self) -> float:
        """By the files' times: never longer than it lives, as they may be of an earlier try."""
        found = [door.look_at(path) for path in (self._files.stdout, self._files.stderr)]
        times = [one.st_mtime for one in found if one is not None]
        return min(max(0.0, time.time() - max(times)), self.age()) if times else 0.0

    def age(self) -> float:
        """Seconds since it was started; 0 where it was not."""
        return 0.0 if self.identity is None else age(self.identity)

    def complaint(self) -> str:
        """The last lines of its errors."""
        return "\n".join(tail_of(self._files.stderr))

    def close(self) -> None:
        """Let go of its output, for good."""
        self._source.close()


class LocalExecutor:
    """Turns as processes of this machine, found by their sessions and their marks."""

    def __init__(self) -> None:
        self._forks = ForkServer()

    def prepare(self) -> None:
        """Open many files; have no turn's mark."""
        launcher.take_open_files()
        watermark.take_off()

    def close(self) -> None:
        """Start no command any more."""
        self._forks.close()

    def process(
        self,
        turn: TurnKey,
        files: TurnFiles,
        identity: Identity | None,
        *,
        text_only: bool,
        node: str | None = None,  # noqa: ARG002 - of another one nothing is here
    ) -> LocalProcess:
        """The process of a turn. One of another machine is not found here."""
        return LocalProcess(turn, files, identity, text_only=text_only, forks=self._forks)

    def signal(self, which: Sequence[Process], number: signal.Signals) -> int:
        """Send a signal to all that belongs to these turns."""
        if not which:
            return 0
        return processes.signal_family(
            number, _markers(which), _sessions(which), since=_since(which)
        )

    async def remains(self, which: Sequence[Process]) -> bool:
        """Whether a process of these turns lives."""
        return _remain(which)

    async def end(
        self,
        which: Callable[[], Sequence[Process]],
        *,
        grace: float,
        gone: Gone | None = None,
    ) -> bool:
        """End turns with all that they started."""
        return await termination.end(
            lambda number: self.signal(which(), number),
            lambda: _remain(which()),
            grace=grace,
            gone=gone,
        )

    async def end_workflow(self, workflow_id: str, *, grace: float) -> list[int]:
        """End all that carries the workflow's mark."""
        markers = [f"PERLES_WORKFLOW={workflow_id}"]
        ended = await termination.end(
            lambda number: processes.signal_family(number, markers),
            lambda: processes.family(markers),
            grace=grace,
        )
        return [] if ended else processes.family(markers)

    async def end_orphans(self, is_idle: Callable[[str], bool], *, grace: float) -> list[int]:
        """End every process that carries the mark of such a workflow."""

        def orphans() -> list[processes.Marked]:
            return [one for one in processes.marked() if is_idle(one.workflow_id)]

        def send(number: signal.Signals) -> int:
            markers = {one.marker for one in orphans()}
            return processes.signal_family(number, markers) if markers else 0

        found = orphans()
        if found:
            await termination.end(send, orphans, grace=grace)
        return [one.pid for one in found]

    async def run_aside(
        self,
        argv: Sequence[str],
        *,
        cwd: Path,
        env: Mapping[str, str],
        workflow_id: str,
        output: int | None,
        seconds: float,
    ) -> int | None:
        """Run a command that is no turn to its end."""
        return await aside.run(
            argv, cwd=cwd, env=env, workflow_id=workflow_id, output=output, seconds=seconds
        )

    async def end_asides(self, is_ours: Callable[[str], bool]) -> list[int]:
        """End what carries the mark of such a command."""
        return await aside.end_left(is_ours)

    def used(self, which: Sequence[Process]) -> dict[int, Used]:
        """What the processes of each turn have used."""
        trees = [
            usage.Tree(one.turn.turn_id, one.turn.marker, _sessions([one]), _since([one]))
            for one in which
        ]
        return usage.look(trees)


def _remain(which: Sequence[Process]) -> bool:
    if not which:
        return False
    return bool(processes.family(_markers(which), _sessions(which), since=_since(which)))


def _markers(which: Sequence[Process]) -> list[str]:
    return [one.turn.marker for one in which]


def _sessions(which: Sequence[Process]) -> list[int]:
    """The numbers of the processes' sessions, as long as they can be no others'."""
    return [one.identity.pid for one in which if one.identity and is_known(one.identity)]


def _since(which: Sequence[Process]) -> int:
    """The tick before which none of these processes was started."""
    known = [one.identity for one in which if one.identity and is_known(one.identity)]
    return min(one.start_ticks for one in known) if len(known) == len(which) else 0
