"""What was asked for, and what became of it."""

from __future__ import annotations

from typing import Any, NamedTuple

from perles.domain.errors import CommandFailedError, PerlesError


class Outcome(NamedTuple):
    """What became of a command. `status` is succeeded, waiting or queued; `text` is for people."""

    workflow_id: str
    status: str
    text: str


class Request(NamedTuple):
    """A command that was queued."""

    workflow_id: str
    command_id: int
    kind: str


def waits_for_engine(request: Request) -> str:
    """What to tell where a command was queued and no engine runs."""
    workflow_id, _, kind = request
    return f"queued {kind} of {workflow_id}: no engine runs; start one with perles serve"


def outcome_of(workflow_id: str, kind: str, result: dict[str, Any]) -> Outcome:
    """The outcome of a command that succeeded, in words for people."""
    from perles.domain.commands import command_of

    if result.get("status") == "waiting":
        return Outcome(workflow_id, "waiting", f"{workflow_id} is {result['reason']}")
    told = command_of(kind).done.format(**{**result, "workflow": workflow_id})
    return Outcome(workflow_id, "succeeded", told)


def failure_of(command: dict[str, Any]) -> PerlesError:
    """The error that the engine met, with its exit code."""
    error = CommandFailedError(command["error"] or "the command failed")
    code = command["result"].get("exit_code", error.exit_code)
    error.exit_code = code  # type: ignore[misc]  # this one instance stands for another class
    return error
