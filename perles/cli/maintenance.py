"""`perles maintenance`: upkeep, fit for cron: one run at a time, quiet when all is well."""

from collections.abc import Sequence
from typing import Annotated

import typer

from perles.cli.output import print_json, say
from perles.controlplane.plane import ControlPlane

app = typer.Typer(
    help="Check, reconcile, prune, back up and vacuum the database; show its size.",
    no_args_is_help=True,
)


@app.command()
def check(
    json: Annotated[bool, typer.Option("--json", help="Print an array of problems.")] = False,
) -> None:
    """Report inconsistencies without repair: exit 1 when there is one."""
    plane = ControlPlane()
    found = plane.check(alone=True)
    if not json and (unknown := plane.unknown_sessions()) is not None:
        say(unknown)
    _tell(found, json)


@app.command()
def reconcile(
    json: Annotated[
        bool, typer.Option("--json", help="Print an array of the remaining problems.")
    ] = False,
) -> None:
    """Repair what check finds. An engine does this when it starts."""
    _tell(ControlPlane().repair(), json)


def _tell(found: Sequence[str], as_json: bool) -> None:
    if as_json:
        print_json(list(found))
    else:
        for line in found:
            say(line)
    if found:
        raise typer.Exit(1)
