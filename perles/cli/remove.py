"""`perles rm`: workflows that have ended are removed, with all that belongs to them."""

from typing import Annotated

import typer

from perles.cli.lifecycle import Json
from perles.cli.maintenance import tell_refs
from perles.cli.options import options
from perles.cli.output import print_json, say, warn
from perles.cli.selection import Selection
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import UsageError
from perles.domain.states import WORKFLOW


@options(Selection.of)
def command(
    selection: Selection,
    force: Annotated[
        bool,
        typer.Option("--force", "-f", help="Stop workflows that have not ended, then remove them."),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed.")] = False,
    json: Json = False,
) -> None:
    """Remove workflows that have ended, with their sessions and worktrees.

    A workflow with unmerged work in its worktree is kept: exit 1.
    """
    plane = ControlPlane()
    if selection.everything and force:
        raise UsageError("cannot remove --all with --force: name them, or give --state")
    possible = WORKFLOW.states if force else sorted(WORKFLOW.terminal)
    done = plane.remove(selection.resolve(plane, possible), force=force, dry_run=dry_run)
    if json:
        print_json(done, line=True)
    else:
        for id in done["pruned"]:
            say(f"{'would remove' if dry_run else 'removed'} {id}")
        tell_refs(done, dry_run=dry_run)
    for spared in done["spared"]:
        warn(f"perles: kept {spared['workflow_id']}: {spared['why']}")
    if not (done["pruned"] or done["spared"]):
        warn("no workflow fits; nothing to do")
    if done["spared"]:
        raise typer.Exit(1)
