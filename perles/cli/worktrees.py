"""`perles worktrees list|clean|du`: folders in which workflows work on their own branches."""

from typing import Annotated

import typer

from perles.cli.options import Json
from perles.cli.output import print_json, print_table, say, warn
from perles.controlplane.plane import ControlPlane
from perles.domain.size import format_size
from perles.domain.text import clean as cleaned

app = typer.Typer(
    no_args_is_help=True,
    help="List the worktrees of workflows, show their size, and clean up after ended ones.",
)
HEADERS = ("ID", "STATE", "BRANCH", "SIZE", "NOTE", "PATH")


@app.command(name="list")
def list_(json: Json = False) -> None:
    """List worktrees with their workflow, branch, size and unmerged work."""
    found = ControlPlane().worktrees()
    if json:
        print_json(found)
        return
    if not found:
        warn("no worktrees: perles run FILE --worktree makes one")
        return
    rows = [
        [
            one["id"],
            one["state"],
            cleaned(one["branch"] or ""),
            format_size(one["bytes"]),
            one["why"] or "nothing that is not elsewhere",
            one["path"],
        ]
        for one in found
    ]
    print_table(HEADERS, rows, state=1)


@app.command()
def clean(
    ids: Annotated[
        list[str] | None, typer.Argument(help="Workflows; default: all that have ended.")
    ] = None,
    force: Annotated[
        bool,
        typer.Option(
            "--force", help="Also remove named worktrees with uncommitted or unmerged work."
        ),
    ] = False,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print an object with removed and spared worktrees.")
    ] = False,
) -> None:
    """Remove worktrees of ended workflows, except those with work that is nowhere else."""
    found = ControlPlane().clean_worktrees(ids or (), force=force, dry_run=dry_run)
    if json:
        print_json(found)
    else:
        for one in found["removed"]:
            stays = f"; its branch {cleaned(one['branch'])} stays" if one["branch"] else ""
            say(f"{'would remove' if dry_run else 'removed'} {one['path']}{stays}")
        for one in found["spared"]:
            say(f"spared {one['path']} of {one['workflow_id']}: {cleaned(one['why'])}")
    if ids and found["spared"]:
        raise typer.Exit(1)


@app.command()
def du(
    json: Annotated[bool, typer.Option("--json", help="Print bytes and limit.")] = False,
) -> None:
    """Show the disk use of all worktrees, and the limit."""
    plane = ControlPlane()
    used, limit = plane.worktree_bytes()
    if json:
        print_json({"bytes": used, "max_bytes": limit})
    else:
        say(f"{format_size(used)}" + (f" of {format_size(limit)}" if limit else ", no limit"))
