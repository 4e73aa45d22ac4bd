"""`perles send`: a message of the person to an agent."""

import sys
from typing import Annotated

import typer

from perles.cli.output import print_json, say
from perles.controlplane import ControlPlane
from perles.domain.errors import UsageError


def command(
    id: Annotated[str, typer.Argument(help="Id, unique prefix of it, or unique name.")],
    text: Annotated[
        list[str] | None, typer.Argument(help="What to say; from standard input without it.")
    ] = None,
    to: Annotated[
        str, typer.Option(metavar="AGENT", help="Whom to tell, such as worker-1.")
    ] = "coordinator",
    json: Annotated[bool, typer.Option("--json", help='Print {"id": …, "status": …}.')] = False,
) -> None:
    """Send a message to an agent; it reads it at its next turn."""
    outcome = ControlPlane().send(id, _body(text), to=to)
    if json:
        print_json({"id": outcome.workflow_id, "status": outcome.status, "to": to}, line=True)
    else:
        say(outcome.text)


def _body(text: list[str] | None) -> str:
    if text and text != ["-"]:
        return " ".join(text)
    if sys.stdin.isatty():
        raise UsageError("cannot send nothing: give a text, or pipe one in")
    return sys.stdin.buffer.read(1024 * 1024 + 1).decode(errors="replace")
