"""`perles serve`: the engine, in this terminal or on its own."""

import os
from typing import Annotated

import typer

from perles.cli.output import say
from perles.controlplane.plane import ControlPlane


def command(
    foreground: Annotated[
        bool,
        typer.Option(
            "--foreground/--detach", help="Stay in this terminal, or run in the background."
        ),
    ] = True,
    exit_when_idle: Annotated[
        bool, typer.Option("--exit-when-idle", help="Exit when nothing runs or waits.")
    ] = False,
    max_workflows_running: Annotated[
        int | None, typer.Option(metavar="N", help="Workflows that run at once.")
    ] = None,
    max_workers: Annotated[
        int | None, typer.Option(metavar="N", help="Live workers over all workflows.")
    ] = None,
    max_ai_calls: Annotated[
        int | None, typer.Option(metavar="N", help="Turns of AI agents at once.")
    ] = None,
    token_budget: Annotated[
        int | None, typer.Option(metavar="N", help="Tokens over all workflows; 0 means no limit.")
    ] = None,
    port_range_start: Annotated[
        int | None, typer.Option(metavar="PORT", help="First port for workflows.")
    ] = None,
    port_range_end: Annotated[
        int | None, typer.Option(metavar="PORT", help="Last port, inclusive.")
    ] = None,
) -> None:
    """Run the engine in this terminal. Ctrl-C pauses running workflows and ends it."""
    _override(
        max_workflows_running=max_workflows_running,
        max_workers=max_workers,
        max_ai_calls=max_ai_calls,
        token_budget=token_budget,
        port_range_start=port_range_start,
        port_range_end=port_range_end,
    )
    plane = ControlPlane()
    if foreground:
        plane.serve(exit_when_idle=exit_when_idle)
    elif plane.ensure_engine(exit_when_idle=exit_when_idle):
        say("the engine runs; perles engine status tells more")
    else:
        kept = "" if exit_when_idle else ", and stays"
        say(f"an engine runs already{kept}; perles engine status tells more")


def _override(**limits: int | None) -> None:
    """Put limits of the command line over file and environment, also for an engine of its own."""
    for name, value in limits.items():
        if value is not None:
            os.environ[f"PERLES_CONTROL_PLANE__RESOURCE_POLICY__{name.upper()}"] = str(value)
