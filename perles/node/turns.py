"""The turns of a node: started once, found again, looked at, ended."""

import asyncio
import logging
import os
import signal
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from perles.agents.provider import Launch, TaskCommand
from perles.executor.contract import Exit, SpawnError, Used
from perles.executor.local.executor import LocalExecutor, LocalProcess
from perles.executor.remote.errors import FencedError, NodeError, NodeSpawnError
from perles.executor.remote.messages import Seen, Start, Started, State, TurnRef
from perles.node.lease import Lease
from perles.node.records import ROOT, Record, Records
from perles.workspace import door
from perles.workspace.removal import remove_tree

log = logging.getLogger("perles.node")
OWN = ("HOME", "USER", "LOGNAME", "SHELL", "TMPDIR", "XDG_RUNTIME_DIR", "XDG_CONFIG_HOME")
"""Variables that are those of the node's machine, whatever the engine has."""


class Turn:
    """One turn of this node."""

    def __init__(self, record: Record, process: LocalProcess, errors: Path) -> None:
        self.record, self.process, self.errors = record, process, errors
        self.lives = False
        self.exit: Exit | None = None

    def stamp(self) -> int:
        """What changes when anything but the output does."""
        told = (self.lives, self.record.fenced, self.record.pid, self.exit)
        return zlib.crc32(repr(told).encode())

    def sizes(self) -> tuple[int, int]:
        """How many bytes it has printed, and written to its errors."""
        return self.process.size(), door.size_of(self.errors)


class Turns:
    """All turns of this node; what changes calls `wake`."""

    def __init__(self, folder: Path, executor: LocalExecutor, lease: Lease) -> None:
        self._executor, self._lease, self._records = executor, lease, Records(folder)
        self.root = folder / ROOT
        self.root.mkdir(mode=0o700, exist_ok=True)
        self._turns: dict[TurnRef, Turn] = {}
        self.wake: Callable[[], None] = lambda: None

    def recover(self) -> None:
        """Find the turns again that the node before this one had."""
        self._records.sweep()
        for record in self._records.all():
            turn = self._made(record)
            if turn.process.attach_now():
                self._note(turn)
                self._watch(turn)

    def __len__(self) -> int:
        return len(self._turns)

    def live(self) -> list[Turn]:
        """Those whose process lives."""
        return [turn for turn in self._turns.values() if turn.lives]

    def start(self, asked: Start) -> Started:
        """Start a turn's process, once. Raises `NodeError`."""
        found = self._turns.get(asked.turn)
        if found is not None:
            return _started(found.record)
        if self._records.is_forgotten(asked.turn):
            raise NodeError("failed", f"cannot start turn {asked.turn.turn_id}: it was here before")
        if self._lease.is_over():
            raise FencedError("fenced", "cannot start a turn: the lease of this node is over")
        turn = self._made(_record_of(asked))
        self._prepare(turn, asked)
        try:
            self._spawn(turn, asked)
        except (SpawnError, OSError) as error:
            self._drop(turn)
            cause = error.__cause__ if isinstance(error, SpawnError) else error
            number = cause.errno if isinstance(cause, OSError) else None
            raise NodeSpawnError(str(error), number or 0) from error
        self._note(turn)
        self._watch(turn)
        if self._lease.is_over():  # this process was stopped meanwhile
            self.fence()
        self.wake()
        return _started(turn.record)

    def states(self, asked: Iterable[Seen], limit: int) -> list[State]:
        """What is new of these turns."""
        found, left = [], limit
        for seen in asked:
            turn = self._turns.get(seen.turn)
            if turn is None:
                found.append(State(turn=seen.turn, stamp=0, is_known=False))
                continue
            stamp, (size, errors) = turn.stamp(), turn.sizes()
            if (size, errors) == (seen.output, seen.errors) and stamp == seen.stamp:
                continue
            state = self._state(turn, seen, stamp, (size, errors), max(0, left))
            left -= len(state.output) + len(state.errors)
            found.append(state)
        return found

    def have_changed(self, asked: Iterable[Seen]) -> bool:
        """Whether anything but the output is new of these turns."""
        found = ((self._turns.get(seen.turn), seen) for seen in asked)
        return any(turn is None or turn.stamp() != seen.stamp for turn, seen in found)

    def have_printed(self, asked: Iterable[Seen]) -> bool:
        """Whether these turns, all of which are known here, have printed more."""
        return any(self._turns[one.turn].sizes() != (one.output, one.errors) for one in asked)

    def read(self, ref: TurnRef, name: str, offset: int, most: int) -> tuple[bytes, int]:
        """Bytes of a file in the turn's folder. Raises `NodeError`, `OSError`."""
        turn = self._need(ref)
        if not name:
            return turn.process.piece(offset, most), turn.process.size()
        path = self.root / turn.record.folder / _plain(name)
        with door.reading(path) as file:
            file.seek(offset)
            return file.read(most), os.fstat(file.fileno()).st_size

    def forget(self, refs: Iterable[TurnRef]) -> None:
        """Let go of turns that have ended. Raises `OSError`."""
        for ref in refs:
            turn = self._turns.get(ref)
            if turn is None:
                self._records.forget(ref)  # a start of it may still come
            elif not turn.lives:
                turn.process.close()
                self._records.forget(ref)
                del self._turns[ref]

    def workflows(self) -> list[str]:
        """Of which workflows there is a record, or a folder of an agent."""
        return sorted({*self._records.workflows(), *os.listdir(self.root)})

    def forget_workflow(self, workflow_id: str) -> None:
        """Keep nothing of a workflow that is over, but what lives of it: that ends first.

        Raises `OSError`, `ValueError` for what is no id.
        """
        known = [ref for ref in self._turns if ref.workflow_id == workflow_id]
        self.forget(known)
        if any(ref in self._turns for ref in known):
            return
        self._records.forget_workflow(workflow_id)
        folder = self.root / _plain(workflow_id)
        if folder.is_dir() and not folder.is_symlink():
            remove_tree(folder)

    def fence(self, *, parts: bool = False) -> int:
        """The lease is over, or the node `parts`: kill all that any turn started.

        How many processes that were.
        """
        if not self._turns:
            return 0
        killed = self._executor.signal(
            [turn.process for turn in self._turns.values()], signal.SIGKILL
        )
        for turn in self.live():
            self._mark_fenced(turn, parts=parts)
        return killed

    def _mark_fenced(self, turn: Turn, *, parts: bool = False) -> None:
        if not turn.record.fenced:
            turn.record.fenced, turn.record.parted = True, parts
            try:
                self._records.keep(turn.record)
            except OSError as error:  # a full disk: the agents are ended all the same
                log.error("cannot note that turn %s was ended: %s", turn.record.turn, error)

    def processes(self, refs: Iterable[TurnRef]) -> list[LocalProcess]:
        """The processes of these turns, forgotten turns too."""
        return [
            turn.process if (turn := self._turns.get(ref)) else self._unknown(ref) for ref in refs
        ]

    def used(self, refs: Sequence[TurnRef]) -> dict[int, Used]:
        """What these turns have used; nothing for turns of other machines."""
        known = [self._turns[ref].process for ref in refs if ref in self._turns]
        found = self._executor.used(known) if known else {}
        return {ref.turn_id: found.get(ref.turn_id, Used()) for ref in refs}

    def _made(self, record: Record) -> Turn:
        files = record.files(self.root)
        process = self._executor.process(record.key, files, record.identity, text_only=True)
        turn = self._turns[record.turn] = Turn(record, process, files.stderr)
        return turn

    def _unknown(self, ref: TurnRef) -> LocalProcess:
        record = Record(turn=ref, folder=".", output="none")
        return self._executor.process(record.key, record.files(self.root), None, text_only=True)

    def _need(self, ref: TurnRef) -> Turn:
        if ref not in self._turns:
            raise NodeError("unknown", f"cannot find turn {ref.turn_id} on this node")
        return self._turns[ref]

    def _prepare(self, turn: Turn, asked: Start) -> None:
        """Make the turn's folder, and its record before there is a process. Raises `NodeError`."""
        try:
            folder = self.root
            for name in turn.record.folder.split("/"):
                folder /= name
                folder.mkdir(mode=0o700, exist_ok=True)
            self._records.keep(turn.record)
            for name in asked.files:
                _plain(name)
        except NodeError:
            self._drop(turn)
            raise
        except OSError as error:
            self._drop(turn)
            raise NodeSpawnError(f"cannot start a turn: {error}", error.errno or 0) from error

    def _spawn(self, turn: Turn, asked: Start) -> None:
        command = None
        if asked.command is not None:
            command = TaskCommand(
                **{name: getattr(asked.command, name) for name in asked.command.__struct_fields__}
            )
        launch = Launch(
            argv=asked.argv, env=of_this_machine(asked.env), stdin=asked.stdin, files=asked.files,
            command=command,
        )  # fmt: skip
        marks = {name: value for name, value in asked.env.items() if name.startswith("PERLES_")}
        turn.process.start_now(
            launch, cwd=self.root / asked.cwd, env={**marks, **launch.env}, umask=asked.umask
        )

    def _drop(self, turn: Turn) -> None:
        """Nothing of a turn was started: a later start may be."""
        self._turns.pop(turn.record.turn, None)
        try:
            self._records.drop(turn.record.turn)
        except OSError as error:
            log.error("cannot drop the record of turn %s: %s", turn.record.turn, error)

    def _note(self, turn: Turn) -> None:
        """Write down which process it is."""
        found = turn.process.identity
        if found is not None and turn.record.identity != found:
            record = turn.record
            record.pid, record.start_ticks, record.boot_id = (
                found.pid,
                found.start_ticks,
                found.boot_id,
            )
            self._records.keep(record)

    def _watch(self, turn: Turn) -> None:
        turn.lives = True
        turn.process.when_ended(lambda: self._ended(turn))

    def _ended(self, turn: Turn) -> None:
        turn.lives = False
        turn.exit = turn.process.reap()
        if self._lease.is_over():
            self._mark_fenced(turn)  # the guard beside the node may have been the first
        self.wake()
        if turn.process.status() is None:
            # The leader of a command that was killed is told of a moment later.
            asyncio.get_running_loop().call_later(0.2, self._look_again, turn)

    def _look_again(self, turn: Turn) -> None:
        turn.exit = turn.exit or turn.process.reap()
        self.wake()

    def _state(
        self, turn: Turn, seen: Seen, stamp: int, sizes: tuple[int, int], limit: int
    ) -> State:
        process, (size, errors) = turn.process, sizes
        code, told = process.status(), process.told()
        is_agents = True
        if code is None and turn.exit is not None:
            code, is_agents = turn.exit
        output = process.piece(seen.output, min(limit, size - seen.output))
        complaints = b""
        if errors > seen.errors and limit > len(output):
            with door.reading(turn.errors) as file:
                file.seek(seen.errors)
                complaints = file.read(limit - len(output))
        return State(
            turn=seen.turn, stamp=stamp, lives=turn.lives,
            identity=_started(turn.record) if turn.record.pid else None,
            code=code, is_agents=is_agents, fenced=turn.record.fenced, parted=turn.record.parted,
            words=None if told is None else told.words,
            told_code=None if told is None else told.code,
            size=size, errors_size=errors, silence=process.silence(), age=process.age(),
            output=output, errors=complaints,
        )  # fmt: skip


def _started(record: Record) -> Started:
    return Started(pid=record.pid, start_ticks=record.start_ticks, boot_id=record.boot_id)


def _record_of(asked: Start) -> Record:
    for name in asked.folder.split("/"):
        _plain(name)
    return Record(turn=asked.turn, folder=asked.folder, output=_plain(asked.output))


def _plain(name: str) -> str:
    """A name of a file, and of nothing else. Raises `NodeError`."""
    if not name or name.startswith(".") or "/" in name or "\0" in name:
        raise NodeError("request", f"cannot use {name!r} as the name of a file")
    return name


def of_this_machine(env: dict[str, str]) -> dict[str, str]:
    """The engine's variables, with those of this machine, and without the engine's database.

    Nothing on a node speaks to that: its URL may hold a password, and stays where the engine is.
    """
    env = {name: value for name, value in env.items() if name != "PERLES_DATABASE"}
    own = {name: os.environ[name] for name in OWN if name in os.environ}
    path = os.pathsep.join(one for one in (env.get("PATH", ""), os.environ.get("PATH", "")) if one)
    return {**env, **own, "PATH": path}
