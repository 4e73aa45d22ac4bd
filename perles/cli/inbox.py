"""`perles inbox`: everything that waits for a person, over all workflows."""

from typing import Annotated

import typer

from perles.cli.options import Json
from perles.cli.output import print_json, print_table, say, warn
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import UsageError
from perles.domain.explanations import moment

app = typer.Typer(help="Show and acknowledge what waits for you in all workflows.")
HEADERS = ("N", "AT", "KIND", "WORKFLOW", "TASK", "NOTE")


@app.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    everything: Annotated[
        bool, typer.Option("--all", help="Also show acknowledged entries.")
    ] = False,
    json: Json = False,
) -> None:
    """Show approvals, notifications, budget warnings, stuck and failed workflows, newest first."""
    if context.invoked_subcommand is not None:
        return
    found = ControlPlane().inbox(everything=everything)
    if json:
        print_json(found)
    elif found:
        rows = [
            [
                str(item["seq"]),
                moment(item["at"]),
                item["kind"],
                item["workflow_id"] or "-",
                item["task"] or "-",
                item["text"],
            ]
            for item in found
        ]
        print_table(HEADERS, rows)
    else:
        warn("nothing waits for you")


@app.command()
def ack(
    numbers: Annotated[
        list[int] | None,
        typer.Argument(metavar="[N…]", help="Numbers of entries, as `perles inbox` shows them."),
    ] = None,
    everything: Annotated[
        bool, typer.Option("--all", help="Acknowledge all current entries.")
    ] = False,
    json: Json = False,
) -> None:
    """Acknowledge entries: they leave the inbox. Approvals leave it with their answer."""
    if bool(numbers) == everything:
        raise UsageError("cannot tell what to acknowledge: give numbers, or --all")
    count = ControlPlane().ack(numbers or (), everything=everything)
    if json:
        print_json({"acknowledged": count}, line=True)
    else:
        say(f"acknowledged {count}")
