"""The contract of a provider: how a turn becomes a process, and its output becomes events.

The engine knows agent CLIs only by this contract. Providers are found by the entry
point group `perles.providers`, so that others can add theirs.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import field
from enum import StrEnum
from functools import cache
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Protocol

from perles.config.provider_settings import ProviderSettings
from perles.domain.errors import UsageError
from perles.domain.execution import Execution
from perles.domain.nearest import nearest
from perles.domain.records import dataclass

if TYPE_CHECKING:
    from importlib.metadata import EntryPoint

ENTRY_POINTS = "perles.providers"
OWN: Final[Mapping[str, str]] = {
    "builtin": "perles.agents.builtin.provider:BuiltinProvider",
    "claude": "perles.agents.clis.claude:ClaudeProvider",
    "codex": "perles.agents.clis.codex:CodexProvider",
    "gemini": "perles.agents.clis.gemini:GeminiProvider",
    "opencode": "perles.agents.clis.opencode:OpencodeProvider",
    "amp": "perles.agents.clis.amp:AmpProvider",
    "command": "perles.agents.clis.command:CommandProvider",
}
"""Our own entry points: looking for them among all that is installed takes as long as creating a
workflow. A test compares them with what the package declares."""


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskBrief:
    """A task as an agent is told of it. `timeout` is in seconds, None means no limit.

    `env` is what it knows of earlier tasks; of its own `variables` it has the names: their
    values, which may be secrets, reach its process by `TurnContext`. `earlier` tells what
    became of the attempt before this one, "" where there was none. `thread` is the post in
    #tasks under which it is talked about. `execution` is how the command is run.
    """

    key: str
    title: str
    body: str
    run: str | None
    env: Mapping[str, str]
    timeout: float | None
    attempt: int
    note: str = ""
    earlier: str = ""
    variables: Sequence[str] = ()
    thread: int | None = None
    execution: Execution = field(default_factory=Execution)


@dataclass(frozen=True, slots=True)
class Letter:
    """One queued message as a prompt shows it; `kind` is the kind of its sender."""

    sender: str
    kind: str
    body: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TurnContext:
    """Everything a provider may use to launch one turn.

    `folder` is the agent's own in the session folder (0700), for files that the
    provider needs written. `session_id` is the provider's session to resume, None
    for the first turn. `token` is secret: environment or 0600 files only.
    `system_prompt` tells the agent its role; "" where it needs none. `environ` is
    what the engine was started with, for finding programs and filling in `${VAR}`.
    `usd_left` is what the budgets of money leave, None where there is none. `task` is the
    key of the task in hand, and `variables` are its own: secret, as the token is. In `stamps` is
    kept of which files commands were made when they last ended well.
    """

    workflow_id: str
    agent: str
    role: str
    number: int
    model: str | None
    work_dir: Path
    folder: Path
    prompt: str
    mcp_url: str
    token: str
    session_id: str | None
    system_prompt: str = ""
    environ: Mapping[str, str] = field(default_factory=dict)
    usd_left: float | None = None
    task: str | None = None
    variables: Mapping[str, str] = field(default_factory=dict)
    stamps: Path | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class TaskCommand:
    """A task's command that is the turn's process itself: how it ends is the report.

    It runs in `folder`, or in the work dir, for `timeout` seconds at most, and gets `grace`
    seconds between TERM and KILL. `name` is what people call its program. Where there is a
    `problem` it is not run, and that is the report; where it is `done`, the report is that it
    did not have to run, and why.
    """

    name: str
    folder: str = ""
    timeout: float | None = None
    grace: float | None = None
    problem: str = ""
    done: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """What to start: argv (no secret in it), variables to add, stdin, files to write (0600).

    `secrets` are texts in them that no row may hold. `unset` are variables that it does not get
    from its surroundings. A `command` has no input, and its errors go where its output goes:
    its `stdin` is kept in a file only.
    """

    argv: Sequence[str]
    env: Mapping[str, str] = field(default_factory=dict)
    stdin: bytes = b""
    files: Mapping[str, bytes] = field(default_factory=dict)
    secrets: Collection[str] = ()
    unset: Collection[str] = ()
    command: TaskCommand | None = None


class Kind(StrEnum):
    """What a line of output can mean."""

    SESSION = "session"
    TEXT = "text"
    TOOL = "tool"
    USAGE = "usage"
    RESULT = "result"
    ERROR = "error"
    LIMIT = "limit"


@dataclass(frozen=True, slots=True)
class AgentEvent:
    """One thing that an agent said or did.

    `text` is what to show. `data` has, by kind: session `id`; usage `tokens_in`
    (past the cache), `tokens_out`, `tokens_cached`, `cost_usd`, `context_used`,
    `context_window`, and `totals` where the CLI counts over its whole session.
    Such numbers are added up, but with `of_turn` they are what the turn used so far:
    a lower one changes nothing, save where it is `settled`, the CLI's last word;
    error `error_class`, `final`, `again_in` (seconds until the CLI itself tries again)
    and `ends_turn` (the process need not go on); limit `windows`; tool `name`, `done`, `failed`,
    and `report`, the arguments of a worker's report.
    """

    kind: Kind
    text: str = ""
    data: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How a turn ended. `error_class` and `error` are None when it succeeded.

    `text` is the last that the agent said: the report of one that cannot call tools.
    """

    succeeded: bool
    error_class: str | None = None
    error: str | None = None
    text: str = ""


class Parser(Protocol):
    """Reads the lines of one turn, in order; a new one re-reads nothing."""

    def feed(self, line: str) -> list[AgentEvent]:
        """The events of one line (without its end). Never raises, whatever the line."""
        ...

    def outcome(self, exit_code: int | None, stderr_tail: str) -> Outcome:
        """How the turn ended, from its own result line if it printed one, else the exit code.

        `exit_code` is negative for a signal, None when nobody knows it.
        """
        ...


class Provider(Protocol):
    """One kind of agent CLI."""

    name: str
    is_ai_call: bool
    """Whether its turns count against `max_ai_calls`."""
    prints_text_only: bool
    """Whether no line of its output means anything but text: what is not shown need not be read."""
    has_mcp: bool
    """Whether its agents can call our tools; other agents report by their last text."""
    variables: Sequence[str] | None
    """Which of the engine's variables its agents get, beside the common ones (`X_*` is a prefix);
    None means all of them."""

    def check(self, environ: Mapping[str, str]) -> None:
        """Raise `UsageError` where its agents could not be started from this environment."""
        ...

    def launch(self, turn: TurnContext) -> Launch:
        """What to start for a turn. Raises `UsageError` when the CLI is not there."""
        ...

    def parser(self, totals: Mapping[str, float] | None = None) -> Parser:
        """A fresh parser for one turn; `totals` is what the session had used before it."""
        ...

    def task_message(self, task: TaskBrief) -> str:
        """The text that gives a task to a worker."""
        ...

    def prompt(self, letters: Sequence[Letter]) -> str:
        """One prompt out of all queued messages."""
        ...


def silent_seconds(provider: Provider) -> float:
    """How long its CLI may print nothing although it is well: an answer is printed when it is
    whole. Telling that is not a duty of a provider."""
    return float(getattr(provider, "silent_seconds", 0.0))


def computes(provider: Provider) -> bool:
    """Whether its program works by itself, and not only waits for a model and starts tools."""
    return bool(getattr(provider, "computes", False))


def launches_at_once(provider: Provider, turn: TurnContext) -> bool:
    """Whether its launch of this turn opens no file and starts nothing: it need not run in a
    thread. Telling that is not a duty of a provider."""
    told = getattr(provider, "launches_at_once", None)
    return told is not None and bool(told(turn))


def hidden_tools(provider: Provider) -> Collection[str]:
    """Which of our tools its CLI shows to no model: it has one of that name of its own. They are
    offered under another name. Telling that is not a duty of a provider."""
    return tuple(getattr(provider, "hidden_tools", ()))


def find(name: str, settings: ProviderSettings | None = None) -> Provider:
    """The provider of this name, set up. Raises `UsageError` that lists the known ones."""
    kind = name if settings is None else settings.type or name
    if kind in OWN:
        module, _, attribute = OWN[kind].partition(":")
        made = getattr(import_module(module), attribute)
    else:
        made = _other(kind).load()
    provider: Provider = made(settings or ProviderSettings(name))
    return provider


def _other(kind: str) -> "EntryPoint":
    """The entry point of a provider that is not ours. Raises `UsageError`."""
    found = _entry_points()
    if kind not in found:
        known = installed()
        raise UsageError(
            f"cannot find provider {kind!r}{nearest(kind, known)}; known are {', '.join(known)}; "
            "perles providers tells which are on this machine"
        )
    return found[kind]


def installed() -> list[str]:
    """The names of the providers that are installed."""
    return sorted({*OWN, *_entry_points()})


@cache
def _entry_points() -> "Mapping[str, EntryPoint]":
    """By name, of all that is installed."""
    from importlib.metadata import entry_points  # its import takes as long as that of ten of ours

    return {point.name: point for point in entry_points(group=ENTRY_POINTS)}


def runs_commands(provider: Provider) -> bool:
    """Whether the turn of a worker that has a command in hand is that command itself."""
    return bool(getattr(provider, "runs_commands", False))
