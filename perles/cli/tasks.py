"""`perles tasks`, `approve`, `deny`: what waits for a person, and their answer."""

from typing import Annotated

import typer

from perles.cli.options import WorkflowId
from perles.cli.output import print_json, print_outcome, print_table, warn
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import UsageError
from perles.domain.explanations import moment

HEADERS = ("TASK", "STATUS", "WORKFLOW", "SINCE", "NOTE")

Key = Annotated[str, typer.Argument(help="The task's key; perles tasks shows it.")]
Json = Annotated[bool, typer.Option("--json", help="JSON, as docs/json.md describes it.")]


def tasks(
    id: Annotated[str | None, typer.Argument(help="Only this workflow.")] = None,
    waiting: Annotated[
        bool, typer.Option("--waiting", help="Only tasks that wait for you.")
    ] = False,
    json: Json = False,
) -> None:
    """List the tasks of one workflow, or of all."""
    found = ControlPlane().tasks(id, waiting=waiting)
    if json:
        print_json(found)
    elif found:
        rows = [
            [
                task["key"],
                task["status"],
                task["workflow_id"],
                moment(task["waiting_since"]),
                task["failure"] or task["question"] or task["name"],
            ]
            for task in found
        ]
        print_table(HEADERS, rows, state=1)
    else:
        warn("no task waits for you" if waiting else "no tasks")


def approve(
    id: WorkflowId,
    task: Key,
    message: Annotated[
        str | None, typer.Option("--message", "-m", help="A message to go with it.")
    ] = None,
    json: Json = False,
) -> None:
    """Approve a task that waits for you; the tasks that depend on it can start."""
    print_outcome(ControlPlane().approve(id, task, message), json, task=task)


def deny(
    id: WorkflowId,
    task: Key,
    message: Annotated[str | None, typer.Option("--message", "-m", help="Why; required.")] = None,
    json: Json = False,
) -> None:
    """Deny a task that waits for you: it fails, and tasks that depend on it are skipped."""
    if message is None or not message.strip():
        raise UsageError("cannot deny a task without a reason: -m TEXT")
    print_outcome(ControlPlane().deny(id, task, message), json, task=task)
