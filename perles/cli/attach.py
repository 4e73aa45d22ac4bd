"""`perles attach`: look on while a workflow runs; Ctrl-C looks away again."""

from typing import Annotated

import typer

from perles.cli.options import WorkflowId
from perles.cli.run import Runner
from perles.controlplane.plane import ControlPlane


def command(
    id: WorkflowId,
    json: Annotated[bool, typer.Option("--json", help="One JSON event a line.")] = False,
) -> None:
    """Follow a workflow to its end, as `perles run` shows it; Ctrl-C detaches.

    Exit codes: 0 completed, 1 failed or stopped, 130 detached.

    Example: perles attach wf-ccu8
    """
    plane = ControlPlane()
    workflow_id = plane.registry.resolve(id)
    raise typer.Exit(Runner(plane, workflow_id, json).attach())
