"""`perles serve`: the engine, in this terminal or on its own."""

from typing import Annotated

import typer

from perles.cli.output import say
from perles.controlplane import ControlPlane


def command(
    foreground: Annotated[
        bool, typer.Option("--foreground/--detach", help="Stay in this terminal (the default).")
    ] = True,
    exit_when_idle: Annotated[
        bool, typer.Option("--exit-when-idle", help="End when nothing runs or waits.")
    ] = False,
) -> None:
    """Host the engine of this database until Ctrl-C; running workflows are paused then."""
    plane = ControlPlane()
    if foreground:
        plane.serve(exit_when_idle=exit_when_idle)
    elif plane.ensure_engine(exit_when_idle=exit_when_idle):
        say("the engine runs; perles engine status tells more")
    else:
        say("an engine runs already; perles engine status tells more")
