"""What can go wrong, as classes: facts are attributes, the text says what to do next.

`exit_code` is the process's exit code when the error ends a command:
1 the work failed, 2 usage, 3 not found, 4 wrong state, 5 no engine, 6 limit
reached, 7 database.
"""

from collections.abc import Mapping, Sequence
from typing import ClassVar, Final

from perles.domain.nearest import did_you_mean


class PerlesError(Exception):
    """The base class of all errors of Perles."""

    exit_code: ClassVar[int] = 1


class UsageError(PerlesError):
    """The command line, a file, a template or the configuration is wrong."""

    exit_code = 2


class AmbiguousIdError(UsageError):
    """An id prefix or a name that matches several workflows."""

    def __init__(self, given: str, matches: Sequence[str]) -> None:
        self.given, self.matches = given, tuple(matches)
        shown = ", ".join(self.matches[:5]) + (" …" if len(self.matches) > 5 else "")
        super().__init__(
            f"cannot tell which workflow {given!r} is: {len(self.matches)} fit ({shown}); "
            "give more letters of the id"
        )


class NotFoundError(PerlesError):
    """No such workflow, agent or task. `near` has the most similar names."""

    exit_code = 3

    def __init__(
        self,
        kind: str,
        given: str,
        hint: str = "perles list --all shows what is there",
        near: Sequence[str] = (),
    ) -> None:
        self.kind, self.given, self.near = kind, given, tuple(near)
        super().__init__(f"cannot find {kind} {given!r}{did_you_mean(near)}: {hint}")


class WrongStateError(PerlesError):
    """A transition that the state machine does not allow in the current state."""

    exit_code = 4

    def __init__(self, kind: str, name: str, state: str, trigger: str) -> None:
        self.kind, self.name, self.state, self.trigger = kind, name, state, trigger
        what = f"{kind} {name}" if name else kind
        super().__init__(
            f"cannot {trigger} {what}: it is {state}{_way_on(kind, name, state, trigger)}"
        )


class StaleError(WrongStateError):
    """Another process changed the row between the decision and the update."""


class LateCallError(WrongStateError):
    """A tool call of a turn that is over: it was cut off from the engine, and is not to go on."""

    def __init__(self, turn_id: int, status: str) -> None:
        self.turn_id = turn_id
        super().__init__("turn", str(turn_id), status, "call a tool in")


class PersonNeededError(PerlesError):
    """An agent requested a decision that is reserved for people."""

    exit_code = 4

    def __init__(self, step: str, agent: str) -> None:
        self.step, self.agent = step, agent
        super().__init__(
            f"cannot {step}: this process belongs to {agent}, and only a person may do that; "
            "use a shell that no agent started"
        )


class ClusterError(PerlesError):
    """The machines of the cluster cannot be reached or started, or a part is not installed."""


class NoEngineError(PerlesError):
    """No engine runs on this database."""

    exit_code = 5

    def __init__(
        self, message: str = "no engine runs on this database: start one with perles serve"
    ):
        super().__init__(message)


class EngineRunsError(PerlesError):
    """Another engine holds the lock of this database."""

    exit_code = 4

    def __init__(self, pid: int | None) -> None:
        self.pid = pid
        who = f" (pid {pid})" if pid else ""
        super().__init__(
            f"cannot start: an engine already runs on this database{who}; "
            "perles engine status tells more, perles engine stop ends it"
        )


class MaintenanceRunsError(PerlesError):
    """Another maintenance command runs on this database."""

    exit_code = 4

    def __init__(self) -> None:
        super().__init__(
            "cannot start: another perles maintenance runs on this database; try again later"
        )


class LimitReachedError(PerlesError):
    """A limit of the resource policy is used up."""

    exit_code = 6


class DatabaseError(PerlesError):
    """The database cannot be used: locked, read-only, damaged, newer than the code, disk full."""

    exit_code = 7


class LostLeadError(DatabaseError):
    """Another engine leads: nothing that this one writes counts any more."""

    exit_code = 4

    def __init__(self) -> None:
        super().__init__(
            "cannot go on: another engine leads this database now, and nothing that this one "
            "wrote since counts; perles engine status tells of it"
        )


class CommandFailedError(PerlesError):
    """The engine ran a command, and it failed."""


class ToolError(PerlesError):
    """A tool call that cannot be done; the text is for the agent that called."""


class NoWorkerSlotError(ToolError):
    """No worker slot is free. `waits`: the workflow has no worker at all, so it waits for one."""

    def __init__(self, text: str, *, waits: bool) -> None:
        self.waits = waits
        super().__init__(text)


_Way = tuple[str, str]
"""What a command is for, and its name."""
_START: Final[_Way] = ("start it", "start")
_RESUME: Final[_Way] = ("go on with it", "resume")
_RETRY: Final[_Way] = ("go on where it ended", "retry")
_STOP_FIRST: Final[_Way] = ("stop it first", "stop")
_LOOK: Final[_Way] = ("look at it", "show")
_WAYS_ON: Final[Mapping[str, _Way]] = {"pending": _START, "paused": _RESUME}
_AGAIN: Final[Mapping[str, _Way]] = {"failed": _RETRY, "stopped": _RETRY}
_END: Final[Mapping[str, _Way]] = dict.fromkeys(("pending", "running", "paused"), _STOP_FIRST)
_WAYS_TO: Final[Mapping[str, Mapping[str, _Way]]] = {
    "start": _AGAIN,
    "resume": _AGAIN,
    "pause": {"pending": _LOOK},
    "archive": _END,
    "remove": _END,
    "retry": {"running": _STOP_FIRST},
    "rebase": {"running": ("pause it first", "pause")},
}
"""By the step that was refused, where that needs another way than the state alone tells."""


def _way_on(kind: str, name: str, state: str, step: str) -> str:
    """What somebody can do with a workflow in this state, instead of `step` or before it."""
    if kind != "workflow" or not name:
        return ""
    what, verb = _WAYS_TO.get(step, {}).get(state) or _WAYS_ON.get(state, _LOOK)
    return f"; {what}: perles {verb} {name}"
