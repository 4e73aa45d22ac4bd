"""`perles agent`: one agent of a running workflow is added, stopped, retired or replaced."""

from typing import Annotated

import typer

from perles.cli.options import WorkflowId
from perles.cli.output import print_outcome
from perles.controlplane.plane import ControlPlane

app = typer.Typer(
    no_args_is_help=True, help="Add, stop, resume, retire or replace one agent of a workflow."
)

Name = Annotated[str, typer.Argument(help="The agent, such as worker-1; perles agents shows them.")]
Reason = Annotated[
    str, typer.Option("--reason", "-m", metavar="TEXT", help="Reason; the coordinator gets it.")
]
Force = Annotated[bool, typer.Option("--force", help="Kill it without a grace period.")]
Json = Annotated[bool, typer.Option("--json", help='Print {"id": …, "status": …, "text": …}.')]


@app.command("spawn")
def spawn(
    id: WorkflowId,
    provider: Annotated[
        str | None,
        typer.Option(
            metavar="NAME[:MODEL]",
            help="Provider of the new worker, named by a task or role (default: the workflow's).",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Add a worker, even beyond the workflow's number of workers."""
    _do(id, "spawn", json=json, provider=provider)


@app.command("stop")
def stop(
    id: WorkflowId, name: Name, reason: Reason = "", force: Force = False, json: Json = False
) -> None:
    """Stop an agent: its turn ends, its task is ready again, its messages wait for resume."""
    _do(id, "stop", name, json=json, reason=reason, force=force)


@app.command("resume")
def resume(id: WorkflowId, name: Name, json: Json = False) -> None:
    """Resume an agent that was stopped or has failed."""
    _do(id, "resume", name, json=json)


@app.command("retire")
def retire(
    id: WorkflowId, name: Name, reason: Reason = "", force: Force = False, json: Json = False
) -> None:
    """Retire a worker for good. Its task is ready again and loses no retry."""
    _do(id, "retire", name, json=json, reason=reason, force=force)


@app.command("replace")
def replace(
    id: WorkflowId, name: Name, reason: Reason = "", force: Force = False, json: Json = False
) -> None:
    """Replace an agent, or the coordinator, with a new one that continues from a handover."""
    _do(id, "replace", name, json=json, reason=reason, force=force)


def _do(
    id: str,
    verb: str,
    name: str = "",
    *,
    json: bool,
    reason: str = "",
    provider: str | None = None,
    force: bool = False,
) -> None:
    outcome = ControlPlane().agent(id, verb, name, reason=reason, provider=provider, force=force)
    print_outcome(outcome, json, text=outcome.text)
