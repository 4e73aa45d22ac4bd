"""`perles send`: a message of the person to an agent."""

import sys
from typing import Annotated

import typer

from perles.cli.options import WorkflowId
from perles.cli.output import print_outcome
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import UsageError


def command(
    id: WorkflowId,
    text: Annotated[
        list[str] | None, typer.Argument(help="The message; without it, standard input is read.")
    ] = None,
    to: Annotated[
        str, typer.Option(metavar="AGENT", help="The agent to send it to, such as worker-1.")
    ] = "coordinator",
    json: Annotated[bool, typer.Option("--json", help='Print {"id": …, "status": …}.')] = False,
) -> None:
    """Send a message to an agent, which reads it in its next turn."""
    outcome = ControlPlane().send(id, _body(text), to=to)
    print_outcome(outcome, json, to=to)


def _body(text: list[str] | None) -> str:
    if text and text != ["-"]:
        return " ".join(text)
    if sys.stdin.isatty():
        raise UsageError("cannot send nothing: give a text, or pipe one in")
    return sys.stdin.buffer.read(1024 * 1024 + 1).decode(errors="replace")
