"""Where turns run: what the engine asks of an executor, and all that it knows of one.

An executor starts the process of a turn and finds it again, reads what it printed from an
offset, keeps its exit status, and signals or ends it with all that it started. The engine that
started a process may die: whatever is needed to go on is in the turn's row (`Identity`), in its
files, or with the process itself. `tests/integration/test_executor_contract.py` is the contract
as tests: an implementation has to pass them.
"""

from __future__ import annotations

import errno
import signal
from collections.abc import Awaitable, Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple, Protocol

from perles.domain.duration import GRACE
from perles.domain.errors import PerlesError
from perles.domain.records import dataclass

if TYPE_CHECKING:
    from perles.agents.provider import AgentEvent, Launch, Parser

STOP_GRACE: Final = GRACE
"""Seconds between TERM and KILL for the agents of a workflow that is stopped or paused."""
SPENDING_GRACE: Final = 1.0
"""Where a budget is used up: some CLIs go on asking their model until KILL."""
REPLACED_GRACE: Final = 5.0
"""For an agent that is replaced, stopped by itself, or beyond a limit of its turn."""
ORPHANS_GRACE: Final = 2.0
"""For what an engine that died did not come to end."""
LEFTOVERS_GRACE: Final = 1.0
"""For what an agent that has ended left behind."""

Gone = Callable[[float], Awaitable[bool]]
"""Waits until all is gone, no longer than the seconds that it is given; whether it is."""


class SpawnError(PerlesError):
    """An agent's process could not be started."""


@dataclass(frozen=True, slots=True)
class Identity:
    """Which process: enough to never mistake another one for it."""

    pid: int
    start_ticks: int
    boot_id: str


class TurnKey(NamedTuple):
    """Which turn a process belongs to. Whatever the process starts carries `marker`."""

    workflow_id: str
    turn_id: int

    @property
    def marker(self) -> str:
        """What every process of this turn has in its environment."""
        return f"PERLES_TURN={self.workflow_id}/{self.turn_id}"


NO_ROOM: Final = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says where a disk, or what its user may have of it, is full."""
OUTPUT: Final = ".stdout.jsonl"
"""How the names of files with a turn's output end."""


@dataclass(frozen=True, slots=True)
class TurnFiles:
    """Where one turn's process reads and writes."""

    stdin: Path
    stdout: Path
    stderr: Path
    status: Path

    @classmethod
    def at(cls, stdout: Path) -> TurnFiles:
        """The files of the turn whose output is at `stdout`: they lie beside it.

        Output that is not named `*.stdout.jsonl` is of an older version, which had shorter names.
        """
        if stdout.name.endswith(OUTPUT):
            stem, ends = stdout.name.removesuffix(OUTPUT), (".prompt.md", OUTPUT, ".stderr.log")
        else:
            stem, ends = stdout.stem, (".in", ".out", ".err")
        return cls(*(stdout.with_name(f"{stem}{end}") for end in (*ends, ".status")))


@dataclass(frozen=True, slots=True)
class Batch:
    """What was read: events in order, and the offset from which to read on."""

    events: list[AgentEvent]
    offset: int
    at_end: bool


class Exit(NamedTuple):
    """How a process ended: with the agent's exit code, or killed, with a code of its own."""

    code: int
    is_agents: bool


class Told(NamedTuple):
    """How a command ended: its exit code as a shell has it, and in words, "" where it was cut."""

    code: int
    words: str


class Used(NamedTuple):
    """What processes have used: seconds, and bytes read and written.

    `own` are the seconds of the agent's CLI itself, the others those of what it started.
    """

    cpu: float = 0.0
    io: int = 0
    own: float = 0.0

    def __add__(self, other: object) -> Used:
        assert isinstance(other, Used)
        return Used(self.cpu + other.cpu, self.io + other.io, self.own + other.own)


class Process(Protocol):
    """The process of one turn: to be started, or to be attached to."""

    identity: Identity | None
    """Which one it is; None before it is started, and where nobody knows any more."""

    @property
    def turn(self) -> TurnKey:
        """Whose it is."""

    async def start(
        self, launch: Launch, *, cwd: Path, env: Mapping[str, str], umask: int | None = None
    ) -> Identity:
        """Start it, unless it lives; which one it is. Raises `SpawnError`, `OSError`.

        It goes on whatever becomes of its starter, which commits the identity afterwards.
        """

    async def attach(self) -> bool:
        """Find it again, also where its starter died before it could commit; whether it lives.

        One that nobody can ask about now lives until it is known to have ended.
        """

    def lives(self) -> bool:
        """Whether exactly this process lives, and is this turn's."""

    def when_ended(self, call: Callable[[], None]) -> None:
        """Call back in the running event loop when it has ended; at once where it has."""

    def status(self) -> int | None:
        """The exit code that is kept of it, `-N` for signal N; None where there is none."""

    def told(self) -> Told | None:
        """How the command ended that this was the process of; None where nobody told."""

    def reap(self) -> Exit | None:
        """Take the status of a child of ours that has ended; None where it is none, or lives."""

    def ended_with_node(self) -> bool:
        """Whether somebody ended its node, and so its agent: that tells nothing of the agent."""

    def size(self) -> int:
        """How many bytes there are to read; 0 where there is no output."""

    def read(self, offset: int, parser: Parser, *, ended: bool) -> Batch:
        """Read on from an offset; `ended` takes a last line without its newline too."""

    def replay(self, offset: int, parser: Parser) -> None:
        """Tell a fresh parser what stands before an offset; nothing comes of it."""

    def written(self) -> int:
        """How many bytes it has written by now, to its output and its errors."""

    def silence(self) -> float:
        """For how many seconds it has written nothing: never longer than it lives."""

    def age(self) -> float:
        """Seconds since it was started, whatever the clock was set to since."""

    def complaint(self) -> str:
        """The last lines of its errors."""

    def close(self) -> None:
        """Let go of its output, for good."""


class Executor(Protocol):
    """Starts, finds, signals and ends the processes of turns."""

    def prepare(self) -> None:
        """Make this process fit to host: to have many files open, and to be no turn's itself."""

    def close(self) -> None:
        """Start nothing any more; what was started goes on."""

    def process(
        self,
        turn: TurnKey,
        files: TurnFiles,
        identity: Identity | None,
        *,
        text_only: bool,
        node: str | None = None,
    ) -> Process:
        """The process of a turn, as far as its row tells; nothing is started or looked for.

        It runs on `node`, None is this machine.
        """

    def signal(self, processes: Sequence[Process], number: signal.Signals) -> int:
        """Send a signal to all that belongs to these turns; 0 where there is nothing of them.

        It may reach another machine a moment later.
        """

    async def remains(self, processes: Sequence[Process]) -> bool:
        """Whether anything of these turns lives: the processes, or what they started."""

    async def end(
        self,
        which: Callable[[], Sequence[Process]],
        *,
        grace: float,
        gone: Gone | None = None,
    ) -> bool:
        """End turns with all that they started: TERM, `grace` seconds, KILL. False where some live.

        `which` gives the ones that are left, `gone` waits for them; without it they are polled.
        """

    async def end_workflow(self, workflow_id: str, *, grace: float) -> list[int]:
        """End all that any turn of a workflow started; what outlives KILL."""

    async def end_orphans(self, is_idle: Callable[[str], bool], *, grace: float) -> list[int]:
        """End what belongs to workflows of which `is_idle` holds; what there was."""

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
        """Run a command that is no turn to its end, and end all that it started; its exit code.

        That is -N for signal N, and None where the time was up. `output` is a descriptor, None
        throws what it prints away. Raises `OSError`.
        """

    async def end_asides(self, is_ours: Callable[[str], bool]) -> list[int]:
        """End what another engine left of such commands, of workflows of which `is_ours` holds."""

    def used(self, processes: Sequence[Process]) -> dict[int, Used]:
        """What turns have used so far, by turn id: one look, however many they are.

        It may take a while: to be called in a thread.
        """
