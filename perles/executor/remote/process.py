"""The process of a turn on a node."""

import asyncio
import errno
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from perles.agents.provider import Launch, Parser
from perles.domain.clock import since_boot
from perles.executor.contract import Batch, Exit, Identity, SpawnError, Told, TurnFiles, TurnKey
from perles.executor.local import launcher
from perles.executor.local.output import tail_of
from perles.executor.local.output_file import Source
from perles.executor.remote import messages as m
from perles.executor.remote.errors import NodeError, NodeSpawnError, UnreachableError
from perles.executor.remote.link import FIRST_PAUSE, LAST_PAUSE
from perles.executor.remote.links import Links
from perles.executor.remote.mirror import Mirror
from perles.workspace import door

ATTACHING: Final = 3.0
"""Seconds to try to reach a node when an engine begins to lead."""


class RemoteProcess:
    """A turn's process on a node, with its output in a file here."""

    def __init__(
        self,
        turn: TurnKey,
        files: TurnFiles,
        identity: Identity | None,
        links: Links,
        node: str,
        *,
        text_only: bool,
    ) -> None:
        self._turn, self._links, self._files = turn, links, files
        self._identity = identity
        self.link = links.of(node)
        self.mirror = Mirror(m.TurnRef(turn.workflow_id, turn.turn_id), files)
        self._source = Source(files.stdout, text_only=text_only)

    @property
    def turn(self) -> TurnKey:
        """Whose it is."""
        return self._turn

    @property
    def identity(self) -> Identity | None:
        """Which process it is on its node, as soon as that has told."""
        state = self.mirror.state
        if self._identity is None and state is not None and not self.mirror.is_over:
            self._identity = _identity(state.identity)
        return self._identity

    @identity.setter
    def identity(self, found: Identity | None) -> None:
        self._identity = found

    async def start(
        self, launch: Launch, *, cwd: Path, env: Mapping[str, str], umask: int | None = None
    ) -> Identity:
        """Have the node start it, once. Raises `SpawnError`: then nothing of it lives."""
        try:
            door.write(self._files.stdin, launch.stdin)
            for path in (self._files.stdout, self._files.stderr):
                door.write(path, b"")
            door.clear(self._files.status)
        except OSError as error:
            raise SpawnError(f"cannot start {launch.argv[0]}: {error.strerror}") from error
        asked = self._asked(launch, cwd, {**env, **launch.env}, umask)
        started = await self._links.wait(self._started(asked))
        found = self._identity = Identity(started.pid, started.start_ticks, started.boot_id)
        return found

    async def _started(self, asked: m.Start) -> m.Started:
        self.mirror.begin()
        self.link.workflows.add(self._turn.workflow_id)
        pause = FIRST_PAUSE
        while True:
            try:
                answer = await self.link.ask(asked)
            except NodeSpawnError as error:
                self.mirror.end()
                raise SpawnError(str(error)) from _os_error(error)
            except UnreachableError as error:
                # It may have been started: only when its lease is over nothing of it lives. A node
                # that was started again is met by the second try.
                if self.link.is_fenced and pause > FIRST_PAUSE:
                    self.mirror.end(lost=True, parted=self.link.has_left)
                    raise SpawnError(str(error)) from OSError(errno.EAGAIN, str(error))
                await asyncio.sleep(pause)
                pause = min(2 * pause, LAST_PAUSE)
            except NodeError as error:
                self.mirror.end(lost=True)
                raise SpawnError(str(error)) from OSError(errno.EAGAIN, str(error))
            else:
                assert isinstance(answer, m.Started)
                self.link.watch(self.mirror)
                return answer

    def _asked(
        self, launch: Launch, cwd: Path, env: Mapping[str, str], umask: int | None
    ) -> m.Start:
        how = launch.command
        command = None
        if how is not None:
            names = m.Command.__struct_fields__
            command = m.Command(**{name: getattr(how, name) for name in names})
        return m.Start(
            turn=self.mirror.ref,
            folder=f"{self._turn.workflow_id}/{self._files.stdout.parent.name}",
            output=self._files.stdout.name,
            argv=list(launch.argv),
            env=dict(env),
            stdin=launch.stdin,
            files=dict(launch.files),
            cwd=str(cwd),
            umask=umask,
            command=command,
        )

    async def attach(self) -> bool:
        """Ask the node for it; where that is not reached, it lives until it is known to be lost."""

        async def ask() -> None:
            self.link.watch(self.mirror)
            async with asyncio.timeout(ATTACHING):  # an engine that takes over waits for this
                await self.link.ask(m.Renew(), seconds=ATTACHING)
                await self.link.look([self.mirror])

        try:
            await self._links.wait(ask())
        except (NodeError, TimeoutError):
            return True
        state = self.mirror.state
        if state is not None and state.identity is not None:
            self._identity = _identity(state.identity)
        return self.lives()

    def lives(self) -> bool:
        """Whether it is not known to have ended."""
        return self.mirror.is_watched and not self.mirror.is_over

    def when_ended(self, call: Callable[[], None]) -> None:
        """Call back when it has ended and all that it printed is here."""
        self.mirror.when_over(call)

    def status(self) -> int | None:
        """The exit code that its launcher left, or its node saw."""
        left = launcher.left_status(self._files.status)
        state = self.mirror.state
        if left is not None or state is None or not self.mirror.is_over:
            return left
        return state.code if state.is_agents and not self.mirror.is_lost else None

    def told(self) -> Told | None:
        """What the leader of a command left."""
        return launcher.left_words(self._files.status)

    def reap(self) -> Exit | None:
        """How its launcher ended, as its node saw it."""
        state = self.mirror.state
        if not self.mirror.is_over or state is None or state.code is None or self.mirror.is_lost:
            return None
        return None if state.is_agents else Exit(state.code, False)

    def ended_with_node(self) -> bool:
        """Whether somebody ended its node, and so its agent."""
        return self.mirror.is_parted

    def size(self) -> int:
        """How large its output is, as far as it is here."""
        return self._source.size(None)

    def read(self, offset: int, parser: Parser, *, ended: bool) -> Batch:
        """Read on from an offset."""
        return self._source.read(offset, parser, None, ended=ended)

    def replay(self, offset: int, parser: Parser) -> None:
        """Tell a parser what stands before an offset."""
        self._source.replay(offset, parser, None)

    def written(self) -> int:
        """The size of its output and its errors."""
        return self.size() + door.size_of(self._files.stderr)

    def silence(self) -> float:
        """As the node told; while that is not reached, nobody knows of more."""
        state = self.mirror.state
        if state is None:
            return 0.0
        return state.silence + (self._since() if self.link.is_reachable else 0.0)

    def age(self) -> float:
        """Seconds since it was started; 0 where nobody has told."""
        state = self.mirror.state
        return 0.0 if state is None else state.age + self._since()

    def _since(self) -> float:
        return 0.0 if self.mirror.is_over else max(0.0, since_boot() - self.mirror.seen_at)

    def complaint(self) -> str:
        """The last lines of its errors."""
        return "\n".join(tail_of(self._files.stderr))

    def close(self) -> None:
        """Let go of its output, for good: its node may forget it."""
        self._source.close()
        if self.mirror.is_watched or self.mirror.is_asked:
            self._links.post(self.link.leave, self.mirror)


def _identity(told: m.Started | None) -> Identity | None:
    return None if told is None else Identity(told.pid, told.start_ticks, told.boot_id)


def _os_error(error: NodeSpawnError) -> Exception:
    return OSError(error.code, str(error)) if error.code else error
