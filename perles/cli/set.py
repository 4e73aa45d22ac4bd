"""`perles set`: change the priority or the budgets of workflows that are there."""

from typing import Annotated

import typer

from perles.cli.lifecycle import Json, request
from perles.cli.options import options
from perles.cli.selection import Selection
from perles.domain.commands import Set
from perles.domain.errors import UsageError


@options(Selection.of)
def command(
    selection: Selection,
    priority: Annotated[str | None, typer.Option(help="low, normal or high.")] = None,
    token_budget: Annotated[
        int | None,
        typer.Option(
            "--token-budget", metavar="N", help="Spend at most N tokens; 0 means no limit."
        ),
    ] = None,
    cost_budget: Annotated[
        float | None,
        typer.Option(
            "--cost-budget", metavar="USD", help="Spend at most this much; 0 means no limit."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Change priority or budgets; the waiting line is reordered at once."""
    asked = Set(priority=priority, token_budget=token_budget, cost_budget=cost_budget)
    if asked == Set():
        raise UsageError("cannot set nothing: give --priority, --token-budget or --cost-budget")
    request(selection, asked, json)
