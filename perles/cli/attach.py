"""`perles attach`: look on while a workflow runs; Ctrl-C looks away again."""

from typing import Annotated

import typer

from perles.cli.options import WorkflowId
from perles.cli.runner import Runner
from perles.controlplane.plane import ControlPlane


def command(
    id: WorkflowId,
    json: Annotated[bool, typer.Option("--json", help="Print one JSON event per line.")] = False,
) -> None:
    """Follow a workflow to its end, as `perles run` shows it; Ctrl-C detaches."""
    plane = ControlPlane()
    workflow_id = plane.registry.resolve(id)
    raise typer.Exit(Runner(plane, workflow_id, json).attach())
