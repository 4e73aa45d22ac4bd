"""`perles maintenance`: for cron: one run at a time, quiet when all is well."""

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any

import typer

from perles.cli.options import Json
from perles.cli.output import print_json, say
from perles.controlplane.plane import ControlPlane
from perles.domain.duration import parse_duration
from perles.domain.size import format_size

app = typer.Typer(
    help="Check, reconcile, prune, back up and vacuum the database; show its size.",
    no_args_is_help=True,
)


@app.command()
def check(
    json: Annotated[bool, typer.Option("--json", help="Print an array of problems.")] = False,
) -> None:
    """Report inconsistencies without repair: exit 1 when there is one."""
    plane = ControlPlane()
    found = plane.check(alone=True)
    if not json and (unknown := plane.unknown_sessions()) is not None:
        say(unknown)
    _tell(found, json)


@app.command()
def reconcile(
    json: Annotated[
        bool, typer.Option("--json", help="Print an array of the remaining problems.")
    ] = False,
) -> None:
    """Repair what check finds. An engine does this when it starts."""
    _tell(ControlPlane().repair(), json)


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
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be removed.")] = False,
    json: Annotated[
        bool, typer.Option("--json", help="Print an object: pruned, spared, stamps, refs.")
    ] = False,
) -> None:
    """Remove workflows that ended long ago, with their events and session folders.

    It also removes checksums of sources that are as old, or whose folder is gone.
    """
    seconds = parse_duration(older_than, bare_seconds=True)
    found = ControlPlane().prune(older_than=seconds, keep=keep, dry_run=dry_run)
    if json:
        print_json(found)
        return
    for id in found["pruned"]:
        say(f"{'would prune' if dry_run else 'pruned'} {id}")
    for one in found["spared"]:
        where = f"worktree {one['worktree']}: " if one["worktree"] else ""
        say(f"spared {one['workflow_id']}: {where}{one['why']}")
    tell_refs(found, dry_run=dry_run)
    if found["stamps"]:
        say(f"{'would remove' if dry_run else 'removed'} {found['stamps']} checksums of sources")


def tell_refs(found: dict[str, Any], *, dry_run: bool) -> None:
    """Say what became of the refs of work on nodes."""
    if found["refs"]:
        say(f"{'would remove' if dry_run else 'removed'} {found['refs']} refs of work on nodes")
    for ref in found["unmerged_refs"]:
        say(f"kept {ref}: its work was merged nowhere; git log {ref}")


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
    path = ControlPlane().backup(file, keep=keep)
    if json:
        print_json({"path": str(path)}, line=True)
    else:
        say(str(path))


@app.command()
def vacuum() -> None:
    """Return the space of removed rows to the disk; writers wait meanwhile."""
    ControlPlane().vacuum()


@app.command()
def stats(
    json: Annotated[bool, typer.Option("--json", help="Print one JSON object.")] = False,
) -> None:
    """Show the size of the home: database, rows, sessions, backups, and workflows by state."""
    found = ControlPlane().stats()
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


def _tell(found: Sequence[str], as_json: bool) -> None:
    if as_json:
        print_json(list(found))
    else:
        for line in found:
            say(line)
    if found:
        raise typer.Exit(1)
