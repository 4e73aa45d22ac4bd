"""start, pause, resume and stop: several ids at once, each told on a line of its own."""

from collections.abc import Callable
from typing import Annotated

import typer

from perles.cli.output import print_json, say, warn
from perles.controlplane import ControlPlane, Outcome
from perles.domain.errors import PerlesError

Ids = Annotated[
    list[str], typer.Argument(metavar="ID…", help="Ids, unique prefixes, or unique names.")
]
Json = Annotated[bool, typer.Option("--json", help="One JSON object a workflow.")]


def start(ids: Ids, json: Json = False) -> None:
    """Start pending workflows; beyond a limit they wait and start by themselves."""
    _each(ids, ControlPlane().start, json)


def pause(ids: Ids, json: Json = False) -> None:
    """Pause running workflows: agents are interrupted, nothing is lost."""
    _each(ids, ControlPlane().pause, json)


def resume(ids: Ids, json: Json = False) -> None:
    """Go on with paused workflows."""
    _each(ids, ControlPlane().resume, json)


def stop(
    ids: Ids,
    reason: Annotated[str | None, typer.Option(help="Why; kept with the workflow.")] = None,
    force: Annotated[bool, typer.Option("--force", help="Give agents no time to end.")] = False,
    json: Json = False,
) -> None:
    """End workflows for good: no process of theirs is left."""
    plane = ControlPlane()
    _each(ids, lambda ref: plane.stop(ref, reason=reason, force=force), json)


def _each(ids: list[str], act: Callable[[str], Outcome], as_json: bool) -> None:
    """Act on every workflow; the exit code is that of the first failure."""
    code = 0
    for ref in ids:
        try:
            outcome = act(ref)
        except PerlesError as error:
            warn(f"perles: {error}")
            code = code or error.exit_code
            continue
        if as_json:
            print_json({"id": outcome.workflow_id, "status": outcome.status}, line=True)
        else:
            say(outcome.text)
    if code:
        raise typer.Exit(code)
