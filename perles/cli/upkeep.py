"""`perles maintenance prune|backup|vacuum|stats`: what keeps the home small and safe."""

from pathlib import Path
from typing import Annotated, Any

import typer

from perles.cli.maintenance import app as app
from perles.cli.options import Json
from perles.cli.output import print_json, say
from perles.controlplane.plane import ControlPlane
from perles.domain.duration import parse_duration
from perles.domain.errors import NotFoundError
from perles.domain.size import format_size
from perles.maintenance.lock import alone


@app.command()
def prune(
    older_than: Annotated[
        str,
        typer.Option(
            "--older-than", metavar="TIME", help="Remove workflows that ended longer ago than this."
        ),
    ] = "30d",
    keep: Annotated[
        int, typer.Option("--keep", metavar="N", min=0, help="Keep the newest N ended workflows.")
    ] = 0,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Only show what would be removed.")
    ] = False,
    json: Annotated[bool, typer.Option("--json", help="An object: pruned, spared.")] = False,
) -> None:
    """Remove workflows that ended long ago, with their events and session folders."""
    from perles.maintenance.prune import prune as work

    plane = ControlPlane()
    seconds = parse_duration(older_than)
    plane.paths.refuse_shared()
    if not dry_run:
        plane.need_person("prune workflows")
    with alone(plane.database_path):
        found = work(plane.paths, older_than=seconds, keep=keep, dry_run=dry_run)
    if json:
        print_json(found)
        return
    for id in found["pruned"]:
        say(f"{'would prune' if dry_run else 'pruned'} {id}")
    for one in found["spared"]:
        where = f"worktree {one['worktree']}: " if one["worktree"] else ""
        say(f"spared {one['workflow_id']}: {where}{one['why']}")


@app.command()
def backup(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="[FILE]", help="Target file; default: a new one in the home's backups folder."
        ),
    ] = None,
    keep: Annotated[
        int,
        typer.Option(
            "--keep", metavar="N", min=0, help="Keep the newest N backups of that folder."
        ),
    ] = 0,
    json: Json = False,
) -> None:
    """Copy the live database to a file and verify the copy."""
    from perles.maintenance.backup import backup as work
    from perles.maintenance.backup import backup_in_home

    plane = ControlPlane()
    if not plane.database_path.exists():
        raise NotFoundError("database", str(plane.database_path))
    plane.paths.refuse_shared()
    with alone(plane.database_path):
        if file is None:
            file = backup_in_home(plane.paths, keep=keep)
        else:
            work(plane.database_path, file)
    if json:
        print_json({"path": str(file)}, line=True)
    else:
        say(str(file))


@app.command()
def vacuum() -> None:
    """Give the space of removed rows back to the disk; writers wait meanwhile."""
    from perles.store.sqlite.driver import BUSY_TIMEOUT, dbapi
    from perles.store.sqlite.errors import database_errors

    plane = ControlPlane()
    if not plane.database_path.exists():
        return
    plane.paths.refuse_shared()
    with alone(plane.database_path), database_errors(plane.database_path):
        connection = dbapi.connect(
            str(plane.database_path), timeout=BUSY_TIMEOUT, isolation_level=None
        )
        try:
            connection.execute("VACUUM")
            # What was written anew stands in the log: the file shrinks when the log is taken over.
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
        finally:
            connection.close()


@app.command()
def stats(
    json: Annotated[bool, typer.Option("--json", help="One JSON object.")] = False,
) -> None:
    """Show the size of the home: database, rows, sessions, backups, and workflows by state."""
    from perles.maintenance.stats import stats as work

    found = work(ControlPlane().paths)
    if json:
        print_json(found)
        return
    states = ", ".join(f"{count} {state}" for state, count in found["workflows"].items())
    rows = sorted(found["rows"].items(), key=lambda item: -item[1])[:5]
    lines = (
        ("home", found["home"]),
        ("database", _sizes(found)),
        ("rows", ", ".join(f"{count} {table}" for table, count in rows if count) or "none"),
        ("workflows", states or "none"),
        ("oldest", f"{found['oldest'] or '-'}; the first ended {found['oldest_ended_at'] or '-'}"),
        ("sessions", f"{format_size(found['session_bytes'])} in {found['session_files']} files"),
        ("backups", f"{found['backups']}, {format_size(found['backup_bytes'])}"),
    )
    for name, text in lines:
        say(f"{name:<9} {text}")


def _sizes(found: dict[str, Any]) -> str:
    parts = (("database_bytes", ""), ("wal_bytes", " of log"), ("free_bytes", " free inside"))
    return ", ".join(f"{format_size(found[key])}{what}" for key, what in parts)
