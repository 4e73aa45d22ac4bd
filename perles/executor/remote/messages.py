"""Requests and answers of a node, without the call around them: see `protocol`."""

from __future__ import annotations

from typing import Final, Literal, get_args

import msgspec

MAX_PIECE: Final = 1024 * 1024
"""Bytes of output or of a file in one answer."""


class TurnRef(msgspec.Struct, frozen=True, array_like=True):
    """Which turn."""

    workflow_id: str
    turn_id: int

    def __str__(self) -> str:
        """In words, for people."""
        return f"{self.turn_id} of {self.workflow_id}"


class Used(msgspec.Struct, frozen=True, array_like=True):
    """What the processes of a turn have used: seconds, and bytes read and written."""

    cpu: float
    io: int
    own: float


class _Request(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """What a node is asked."""


class _Answer(msgspec.Struct, frozen=True, tag=True, kw_only=True):
    """What a node answers."""


class Hello(_Request, frozen=True):
    """Who are you? Needs no epoch, and renews nothing."""


class Greeting(_Answer, frozen=True):
    """A node about itself. `clock` is its CLOCK_BOOTTIME in seconds, `wall` its time of day.

    `memory_total`, `memory` and `disk` are bytes: of all memory, and of what is free now. `root` is
    the folder in which the agents have their folders, `lease` how long its lease holds in seconds,
    below 0 where it is over. A node that `leaves` is about to end: all its agents have ended, and
    it starts nothing.
    """

    name: str
    version: int
    perles: str
    python: str
    boot_id: str
    clock: float
    wall: float
    slots: int
    labels: list[str]
    cpus: int
    memory_total: int
    memory: int
    disk: int
    root: str
    epoch: int
    lease: float
    has_git: bool
    turns: int
    pid: int
    leaves: bool = False


class Renew(_Request, frozen=True):
    """Only what each call does: renew the lease until `Call.until`."""


class Renewed(_Answer, frozen=True):
    """The node's clock, from which the next renewal counts."""

    clock: float
    boot_id: str


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A task's command that is the turn's process itself: `agents.provider.TaskCommand`."""

    name: str
    folder: str = ""
    timeout: float | None = None
    grace: float | None = None
    problem: str = ""
    done: str = ""


class Start(_Request, frozen=True):
    """Start the process of a turn, unless it was started before.

    `folder` is relative to `Greeting.root`: there lie the turn's files, `output` is the name of
    the one with its output. `files` are written there, each 0600. `cwd` is absolute, or relative
    to the root. Whatever is secret is in `env`, `stdin` and `files`, never in `argv`.
    """

    turn: TurnRef
    folder: str
    output: str
    argv: list[str]
    env: dict[str, str]
    stdin: bytes
    files: dict[str, bytes]
    cwd: str
    umask: int | None = None
    command: Command | None = None

    def __repr__(self) -> str:
        return f"Start(turn={self.turn!r})"


class Started(_Answer, frozen=True):
    """Which process it is, on the node's machine."""

    pid: int
    start_ticks: int
    boot_id: str


class Seen(msgspec.Struct, frozen=True, array_like=True):
    """How far the engine has a turn's output and errors, and the state of it that it knows."""

    turn: TurnRef
    output: int
    errors: int
    stamp: int = -1


class Poll(_Request, frozen=True):
    """What is new of these turns? Answered at once where something is, else after `wait` seconds.

    `limit` bounds the bytes of output in the answer.
    """

    turns: list[Seen]
    wait: float
    limit: int = MAX_PIECE


class State(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """One turn, and what is new of it.

    `is_known` is False where the node has never heard of it. `lives` tells of the process alone.
    `code` is the exit code that it left, or that its parent saw; `is_agents` as in `Exit`;
    `words` are those of a command, None where nobody told. `fenced` tells that the node ended it,
    as its lease was over, `parted` that it did so as it was about to end itself. `output` and
    `errors` are bytes from the offsets that the engine has, `size` and `errors_size` how many there
    are. `silence` and `age` are seconds.
    """

    turn: TurnRef
    stamp: int
    is_known: bool = True
    lives: bool = False
    identity: Started | None = None
    code: int | None = None
    is_agents: bool = True
    words: str | None = None
    told_code: int | None = None
    fenced: bool = False
    parted: bool = False
    size: int = 0
    errors_size: int = 0
    silence: float = 0.0
    age: float = 0.0
    output: bytes = b""
    errors: bytes = b""


class States(_Answer, frozen=True):
    """Turns of which something is new, and the node's clock; `leaves` as in `Greeting`."""

    turns: list[State]
    clock: float
    boot_id: str
    leaves: bool = False


class Read(_Request, frozen=True):
    """Bytes of a file in a turn's folder, `""` for its output, from an offset."""

    turn: TurnRef
    offset: int
    max: int = MAX_PIECE
    name: str = ""


class Piece(_Answer, frozen=True):
    """Bytes of a file; `size` is how many there are in all."""

    data: bytes
    size: int


class Forget(_Request, frozen=True):
    """The engine has all of these turns for good: what the node keeps of them may go."""

    turns: list[TurnRef]


class Signal(_Request, frozen=True):
    """Send a signal to all that belongs to these turns."""

    turns: list[TurnRef]
    number: int


class Count(_Answer, frozen=True):
    """How many processes."""

    number: int


class Remains(_Request, frozen=True):
    """Does anything of these turns live?"""

    turns: list[TurnRef]


class Flag(_Answer, frozen=True):
    """Whether."""

    value: bool


class End(_Request, frozen=True):
    """End these turns with all that they started: TERM, `grace` seconds, KILL."""

    turns: list[TurnRef]
    grace: float


class EndWorkflows(_Request, frozen=True):
    """End all that any turn of these workflows started; what outlives KILL.

    As `orphans` what there was is told.
    """

    workflow_ids: list[str]
    grace: float
    orphans: bool = False


class Pids(_Answer, frozen=True):
    """Processes."""

    pids: list[int]


class Workflows(_Request, frozen=True):
    """Of which workflows do processes live that some turn or command started?"""


class Names(_Answer, frozen=True):
    """Names."""

    names: list[str]


class RunAside(_Request, frozen=True):
    """Run a command that is no turn to its end: `key` makes a second request the same one.

    Where there is a `script`, the path of a file that holds it is the last argument.
    """

    key: str
    argv: list[str]
    cwd: str
    env: dict[str, str]
    workflow_id: str
    seconds: float
    script: bytes | None = None

    def __repr__(self) -> str:
        return f"RunAside(key={self.key!r})"


class Ran(_Answer, frozen=True):
    """How a command ended, None where its time was up, and the last of what it printed."""

    code: int | None
    output: bytes


class EndAsides(_Request, frozen=True):
    """End what is left of such commands, of these workflows."""

    workflow_ids: list[str]


class Usage(_Request, frozen=True):
    """What have these turns used so far?"""

    turns: list[TurnRef]


class UsageTold(_Answer, frozen=True):
    """By turn id."""

    used: dict[int, Used]


class Part(_Request, frozen=True):
    """For another part of the node, which registers itself: `node.parts`.

    `part` is its name (`relay`, `git`), `body` a msgpack object of its own. An answer may take
    `wait` seconds longer than that of other requests.
    """

    part: str
    op: str
    body: bytes
    wait: float = 0.0

    def __repr__(self) -> str:
        return f"Part({self.part}.{self.op}, {len(self.body)} bytes)"


class PartTold(_Answer, frozen=True):
    """The answer of such a part."""

    body: bytes

    def __repr__(self) -> str:
        return f"PartTold({len(self.body)} bytes)"


class Done(_Answer, frozen=True):
    """It is done."""


Kind = Literal["stale_epoch", "version", "fenced", "spawn", "request", "failed", "unknown", "full"]
KINDS: Final = frozenset(get_args(Kind))


class Refused(_Answer, frozen=True):
    """It was not done. `number` is an errno where there is one."""

    kind: Kind
    message: str
    number: int = 0


Request = (
    Hello | Renew | Start | Poll | Read | Forget | Signal | Remains | End | EndWorkflows
    | Workflows | RunAside | EndAsides | Usage | Part
)  # fmt: skip
Answer = (
    Greeting | Renewed | Started | States | Piece | Count | Flag | Pids | Names | Ran | UsageTold
    | PartTold | Done | Refused
)  # fmt: skip
