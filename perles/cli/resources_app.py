"""`perles resources` as Typer knows it; `perles.cli.main` has its short way."""

import os
from typing import Annotated

import typer

from perles.cli import resources
from perles.cli.output import print_json, say
from perles.config.home import Paths, home
from perles.controlplane.plane import ControlPlane

app = typer.Typer(
    help="Show limits with their holders and the waiting line, or their history; reset budgets."
)


def _paths() -> Paths:
    return Paths(home(os.environ))


@app.callback(invoke_without_command=True)
def show(
    context: typer.Context,
    json: Annotated[
        bool, typer.Option("--json", help="Print JSON; docs/json.md describes it.")
    ] = False,
    watch: Annotated[bool, typer.Option("--watch", help="Refresh every second.")] = False,
) -> None:
    """Show every limit: used, waiting, holders."""
    if context.invoked_subcommand is None:
        resources.run(resources.ResourceOptions(json=json, watch=watch), _paths())


@app.command()
def reset(
    resource: Annotated[str, typer.Argument(help="`tokens` or `cost_usd`.")],
    reason: Annotated[str, typer.Option(help="Reason; stored in the journal.")],
    json: Annotated[bool, typer.Option("--json", help='Print {"resource": …, "was": …}.')] = False,
) -> None:
    """Set the used part of the global budget (tokens or USD) back to 0."""
    was = ControlPlane().reset_total(resource, reason)
    if json:
        print_json({"resource": resource, "was": was}, line=True)
    else:
        say(f"{resource} is 0 again; it was {was:g}")


@app.command()
def history(
    hours: Annotated[int, typer.Option(help="How many hours to look back.")] = 24,
    json: Annotated[bool, typer.Option("--json", help="Print JSON.")] = False,
) -> None:
    """Show how many leases were held in each hour: peak and average."""
    resources.history(hours, json, _paths())
