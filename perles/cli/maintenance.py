"""`perles maintenance`: upkeep, fit for cron: one run at a time, quiet when all is well."""

from collections.abc import Sequence
from typing import Annotated

import typer

from perles.cli.output import print_json, say
from perles.controlplane.plane import ControlPlane

app = typer.Typer(
    help="Maintain the database, by hand or by cron: quiet when all is well.", no_args_is_help=True
)


@app.command()
def check(
    json: Annotated[bool, typer.Option("--json", help="An array of what is wrong.")] = False,
) -> None:
    """Report inconsistencies without repair: exit 1 when there is one."""
    _tell(ControlPlane().check(alone=True), json)


@app.command()
def reconcile(
    json: Annotated[bool, typer.Option("--json", help="An array of what is still wrong.")] = False,
) -> None:
    """Repair what check finds. A running engine does so itself when it starts."""
    _tell(ControlPlane().repair(), json)


def _tell(found: Sequence[str], as_json: bool) -> None:
    if as_json:
        print_json(list(found))
    else:
        for line in found:
            say(line)
    if found:
        raise typer.Exit(1)
