"""`perles maintenance prune|backup|vacuum`: what keeps the home small and safe."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

import typer

from perles.cli.maintenance import alone
from perles.cli.maintenance import app as app
from perles.cli.output import print_json, say
from perles.controlplane import ControlPlane
from perles.domain.duration import parse_duration
from perles.domain.errors import NotFoundError


@app.command()
def prune(
    older_than: Annotated[
        str, typer.Option("--older-than", metavar="TIME", help="Those that ended so long ago.")
    ] = "30d",
    keep: Annotated[
        int, typer.Option("--keep", metavar="N", min=0, help="Keep the newest N that ended.")
    ] = 0,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only tell what would go.")] = False,
    json: Annotated[bool, typer.Option("--json", help="An object: pruned, spared.")] = False,
) -> None:
    """Remove workflows that ended long ago, with their events and session folders."""
    from perles.upkeep import prune as work

    plane = ControlPlane()
    seconds = parse_duration(older_than)
    with alone(plane):
        found = work(plane.paths, older_than=seconds, keep=keep, dry_run=dry_run)
    if json:
        print_json(found)
        return
    for id in found["pruned"]:
        say(f"{'would prune' if dry_run else 'pruned'} {id}")
    for one in found["spared"]:
        say(f"spared {one['workflow_id']}: its worktree {one['worktree']} is still there")


@app.command()
def backup(
    file: Annotated[
        Path | None, typer.Argument(metavar="[FILE]", help="Where; default: backups in the home.")
    ] = None,
    keep: Annotated[
        int, typer.Option("--keep", metavar="N", min=0, help="Keep the newest N of the default.")
    ] = 0,
) -> None:
    """Copy the live database to a file, and verify the copy."""
    from perles.upkeep import backup as work

    plane = ControlPlane()
    if not plane.database_path.exists():
        raise NotFoundError("database", str(plane.database_path))
    folder = plane.paths.root / "backups"
    if file is None:
        folder.mkdir(mode=0o700, exist_ok=True)
        file = folder / f"perles-{datetime.now(UTC):%Y%m%dT%H%M%S%fZ}.db"
    with alone(plane):
        work(plane.database_path, file)
        if keep:
            for old in sorted(folder.glob("perles-*.db"))[:-keep]:
                old.unlink()
    say(str(file))


@app.command()
def vacuum() -> None:
    """Give the space of removed rows back to the disk; a writer waits meanwhile."""
    from perles.store.failures import database_errors
    from perles.store.sqlite import BUSY_TIMEOUT, dbapi

    plane = ControlPlane()
    if not plane.database_path.exists():
        return
    with alone(plane), database_errors(plane.database_path):
        connection = dbapi.connect(
            str(plane.database_path), timeout=BUSY_TIMEOUT, isolation_level=None
        )
        try:
            connection.execute("VACUUM")
        finally:
            connection.close()
