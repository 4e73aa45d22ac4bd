"""Appending a command: the request of a client, checked against what the database says now."""

from typing import Any

from perles.access.origin import Origin
from perles.domain.duration import LONGEST
from perles.domain.errors import UsageError
from perles.domain.machine import decide, need_ended, need_open, need_running
from perles.domain.states import WORKFLOW
from perles.store.database import Tx
from perles.store.events import journal
from perles.store.schema.engine import Command
from perles.store.schema.workflows import Workflow
from perles.tasks import answers
from perles.workflows.settings import check_change


def append_command(
    tx: Tx, workflow_id: str, kind: str, args: dict[str, Any], origin: Origin
) -> int:
    """Queue a command; its id. Raises `WrongStateError` when it cannot succeed now.

    A start or resume is remembered on the workflow too: it waits in line from this moment.
    """
    workflow = tx.need(Workflow, workflow_id)
    if kind == "send":
        need_open(WORKFLOW, workflow.state, "send to", name=workflow_id)
    elif kind == "archive":
        need_ended(WORKFLOW, workflow.state, kind, name=workflow_id)
    elif kind in ("approve", "deny"):
        answers.waiting_task(tx, workflow_id, args["task"], kind)
    elif kind.startswith("agent."):
        step = f"{kind.removeprefix('agent.')} agents of"
        need_running(workflow.state, step, name=workflow_id)
    elif kind == "set":
        check_change(workflow, args)
    elif kind == "stop":
        _check_grace(args.get("grace", 0.0))
        decide(WORKFLOW, workflow.state, kind, name=workflow_id)
    elif kind != "pause" or workflow.state != "paused" or workflow.start_requested_at is None:
        decide(WORKFLOW, workflow.state, kind, name=workflow_id)
    waits = kind in ("start", "resume") and not args.get("no_wait")
    if waits and workflow.start_requested_at is None:
        tx.update(Workflow, workflow_id, start_requested_at=tx.now)
    return tx.insert(
        Command,
        workflow_id=workflow_id,
        kind=kind,
        args=journal.encode(args),
        source=origin.source,
        origin=journal.encode(origin.payload()),
        status="queued",
    )


def _check_grace(seconds: float) -> None:
    """Raise `UsageError` for no number of seconds that agents can be given."""
    if not 0 <= seconds <= LONGEST:  # which no NaN is
        raise UsageError(
            f"cannot give agents a grace of {seconds:g} seconds; 0 to {LONGEST:.0f} are possible"
        )


def append_for_engine(tx: Tx, kind: str, origin: Origin | None = None) -> int:
    """Queue a command for the engine itself, `reload` or `stay`; its id."""
    by = None if origin is None else journal.encode(origin.payload())
    return tx.insert(Command, kind=kind, source="user", origin=by, status="queued")
