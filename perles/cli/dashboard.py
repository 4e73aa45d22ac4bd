"""`perles dashboard`: the full-screen view, or one frame of it."""

from pathlib import Path
from typing import Annotated

import typer


def command(
    once: Annotated[bool, typer.Option("--once", help="Print one frame and exit.")] = False,
    width: Annotated[int, typer.Option(help="Columns of the frame, with --once.")] = 0,
    height: Annotated[int, typer.Option(help="Rows of the frame, with --once.")] = 0,
    no_color: Annotated[bool, typer.Option("--no-color", help="Use no colours.")] = False,
    svg: Annotated[
        Path | None,
        typer.Option(metavar="FILE", help="Write the frame to an SVG file, with --once."),
    ] = None,
    show: Annotated[
        str | None, typer.Option(metavar="ID", help="Open on this workflow instead of the table.")
    ] = None,
    no_engine: Annotated[
        bool,
        typer.Option("--no-engine", help="Do not start an engine for waiting work."),
    ] = False,
    theme: Annotated[
        str | None,
        typer.Option(
            help="Colours instead of the configuration's: dark, light, high-contrast, dracula, "
            "nord, gruvbox, catppuccin-mocha or catppuccin-latte."
        ),
    ] = None,
) -> None:
    """Watch and control all workflows on one screen; ? shows the keys.

    If workflows run or wait and no engine runs, it starts one. That engine continues when you
    leave the dashboard, and exits when nothing runs or waits.
    """
    from perles.dashboard.start import Options, start

    options = Options(once, width, height, no_color, svg, show, not no_engine, theme)
    raise typer.Exit(start(options))
