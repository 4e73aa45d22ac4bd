"""The table of commands: what can be asked of a workflow, when, and what is said when it is done.

Each command is one class: its fields are the arguments as its row keeps them, its class
variables tell the rules. The façade, the engine, the command line and the dashboard read
them here. CONTRIBUTING.md says what else a new command needs.

The module imports msgspec: read commands and the dashboard's start import it lazily, or not.
"""

from collections.abc import Mapping
from typing import Any, Final

import msgspec
from msgspec import UNSET, UnsetType

from perles.domain.agent_commands import (
    ON_AGENTS,
    OnAgent,
    ReplaceAgent,
    ResumeAgent,
    RetireAgent,
    SpawnAgent,
    StopAgent,
)
from perles.domain.command import ANY_STATE, OPEN, Command, edge
from perles.domain.duration import GRACE, LONGEST
from perles.domain.errors import UsageError
from perles.domain.states import WORKFLOW, WorkflowState

__all__ = [
    "ANY_STATE",
    "COMMANDS",
    "ON_AGENTS",
    "OPEN",
    "WITHOUT_ENGINE",
    "Admission",
    "Answer",
    "AnswerQuestion",
    "Approve",
    "Archive",
    "Command",
    "Complete",
    "Deny",
    "Fail",
    "Label",
    "OnAgent",
    "Pause",
    "Post",
    "Reload",
    "Rename",
    "ReplaceAgent",
    "Resume",
    "ResumeAgent",
    "RetireAgent",
    "Send",
    "Set",
    "SpawnAgent",
    "Start",
    "Stay",
    "Stop",
    "StopAgent",
    "ToEngine",
    "command_of",
    "from_mapping",
    "from_row",
]


class Admission(Command, frozen=True, omit_defaults=True):
    """A workflow is to run; it waits in line for room from this moment, but with `no_wait`."""

    for_maker = True
    no_wait: bool = False


class Start(Admission, frozen=True):
    """A pending workflow is to run."""

    kind = step = "start"
    states = edge("start")
    done = "started {workflow}"


class Resume(Admission, frozen=True):
    """A paused workflow is to go on."""

    kind = step = "resume"
    states = edge("resume")
    done = "resumed {workflow}"


class _Halt(Command, frozen=True):
    """Work is to cease. `now`: a budget is used up, and no agent may finish its turn before."""

    needs_engine = False
    for_maker = True
    reason: str | None = None
    now: bool | UnsetType = UNSET


class Pause(_Halt, frozen=True):
    """Agents are interrupted; a workflow that waits in line to go on leaves the line."""

    kind = step = "pause"
    states = edge("pause")
    states_in_line = frozenset({WorkflowState.PAUSED})
    done = "paused {workflow}"


class Stop(_Halt, frozen=True):
    """The end for good. Agents have `grace` seconds between TERM and KILL, none with `force`."""

    kind = step = "stop"
    states = edge("stop")
    done = "stopped {workflow}"
    ends = True
    force: bool = False
    grace: float = GRACE

    def __post_init__(self) -> None:
        """Raise `UsageError` for no number of seconds that agents can be given."""
        if not 0 <= self.grace <= LONGEST:  # which no NaN is
            raise UsageError(
                f"cannot give agents a grace of {self.grace:g} seconds; "
                f"0 to {LONGEST:.0f} are possible"
            )


class Complete(_Halt, frozen=True):
    """The work is done: only the engine asks this."""

    kind = step = "complete"
    states = edge("complete")
    done = "completed {workflow}"
    needs_engine = True
    for_maker = False
    ends = True


class Fail(_Halt, frozen=True):
    """The work cannot be done."""

    kind = step = "fail"
    states = edge("fail")
    done = "failed {workflow}"
    ends = True


class Archive(Command, frozen=True):
    """Out of sight."""

    kind = step = "archive"
    states = WORKFLOW.terminal
    done = "archived {workflow}"
    needs_engine = False
    for_maker = True


class Set(Command, frozen=True):
    """Other priority or budgets; None leaves one as it is, a budget of 0 means no limit."""

    kind = step = "set"
    states = OPEN
    done = "changed {workflow}"
    needs_engine = False
    priority: str | None = None
    token_budget: int | None = None
    cost_budget: float | None = None


class Rename(Command, frozen=True):
    """Another name; one that has ended may have it, too."""

    kind = step = "rename"
    states = ANY_STATE
    done = "renamed {workflow} to {name}"
    needs_engine = False
    for_maker = True
    name: str


class Label(Command, frozen=True):
    """Labels are hung on it, or taken off."""

    kind = step = "label"
    states = ANY_STATE
    done = "labelled {workflow}"
    needs_engine = False
    for_maker = True
    add: dict[str, str] = msgspec.field(default_factory=dict)
    remove: tuple[str, ...] = ()


class Send(Command, frozen=True):
    """A message to the agent `to`."""

    kind = "send"
    step = "send to"
    states = OPEN
    done = "sent to {sent} of {workflow}"
    needs_engine = False
    for_maker = True
    text: str
    to: str


class Post(Command, frozen=True):
    """A post in a channel, or, with `reply`, in the thread that this post is in."""

    kind = "post"
    step = "post in"
    states = OPEN
    done = "posted {post} in #{channel} of {workflow}{aside}"
    needs_engine = False
    for_maker = True
    text: str
    channel: str = "general"
    reply: int | None = None


class Answer(Command, frozen=True):
    """A person's answer to the task of this key: the task's state allows it, or not."""

    states = ANY_STATE
    needs_engine = False
    task: str


class Approve(Answer, frozen=True):
    """Yes."""

    kind = step = "approve"
    done = "approved {task} of {workflow}"
    message: str | None = None


class Deny(Answer, frozen=True):
    """No, with the reason as the message."""

    kind = step = "deny"
    done = "denied {task} of {workflow}"
    message: str


class AnswerQuestion(Command, frozen=True):
    """A person's answer to an agent's question of this number; "" is the default answer."""

    kind = "answer"
    step = "answer questions of"
    states = frozenset({WorkflowState.RUNNING, WorkflowState.PAUSED})
    done = "answered question {question} of {workflow}"
    needs_engine = False
    question: int
    text: str


class ToEngine(Command, frozen=True):
    """To the engine itself."""

    states = frozenset()


class Reload(ToEngine, frozen=True):
    """The configuration is read again."""

    kind = step = "reload"


class Stay(ToEngine, frozen=True):
    """An engine that would end when idle serves on."""

    kind = step = "stay"


_ALL: Final[tuple[type[Command], ...]] = (
    *(Start, Pause, Resume, Stop, Complete, Fail, Archive),
    *(Set, Rename, Label, Send, Post, Approve, Deny, AnswerQuestion),
    *ON_AGENTS.values(),
    *(Reload, Stay),
)
COMMANDS: Final[Mapping[str, type[Command]]] = {command.kind: command for command in _ALL}
WITHOUT_ENGINE: Final = frozenset(kind for kind, one in COMMANDS.items() if not one.needs_engine)


def command_of(kind: str) -> type[Command]:
    """The command of this name. Raises `UsageError`."""
    if kind not in COMMANDS:
        raise UsageError(f"cannot {kind}: it is none of {', '.join(COMMANDS)}")
    return COMMANDS[kind]


def from_mapping(kind: str, given: Mapping[str, Any]) -> Command:
    """The command of this name with these arguments. Raises `UsageError`."""
    try:
        return msgspec.convert(given, command_of(kind))
    except msgspec.ValidationError as error:
        raise UsageError(f"cannot {kind}: {error}") from error


def checked(command: Command) -> Command:
    """The command, whose arguments a program may have given any value. Raises `UsageError`."""
    try:
        return msgspec.convert(msgspec.to_builtins(command), type(command))
    except (msgspec.ValidationError, TypeError) as error:
        raise UsageError(f"cannot {command.kind}: {error}") from error


def from_row(kind: str, args: str) -> Command:
    """The command that a row keeps. Raises `UsageError`."""
    try:
        return msgspec.json.decode(args, type=command_of(kind))
    except msgspec.MsgspecError as error:
        raise UsageError(f"cannot {kind}: {error}") from error
