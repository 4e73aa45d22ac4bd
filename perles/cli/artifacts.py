"""`perles artifacts`: the files that tasks left."""

import os
from pathlib import Path
from typing import Annotated

import typer

from perles.cli.options import Json, WorkflowId
from perles.cli.output import print_json, print_table, say, warn
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import PerlesError
from perles.domain.size import format_size
from perles.domain.text import clean
from perles.workspace import door

_PIECE = 1024 * 1024


def command(
    id: WorkflowId,
    task: Annotated[
        str | None, typer.Option("--task", metavar="KEY", help="Only artifacts of this task.")
    ] = None,
    copy: Annotated[
        Path | None,
        typer.Option(
            "--copy", metavar="DIR", help="Copy them to DIR/TASK/…; existing files are kept."
        ),
    ] = None,
    force: Annotated[
        bool, typer.Option("--force", help="With --copy: overwrite existing files.")
    ] = False,
    json: Json = False,
) -> None:
    """List the artifacts of a workflow, or copy them to a folder."""
    found = ControlPlane().artifacts(id, task=task)
    if copy is not None:
        for one in found:
            _copy(Path(one["file"]), copy / one["task"] / one["path"], force=force)
    if json:
        print_json(found)
    elif copy is not None:
        say(f"copied {len(found)} files to {copy}")
    elif found:
        rows = [
            [one["task"], one["path"], format_size(one["bytes"]), one["sha256"][:12], one["file"]]
            for one in found
        ]
        print_table(("TASK", "PATH", "SIZE", "SHA256", "FILE"), rows, spare=("SHA256",))
    else:
        warn("no task of it left a file")


def _copy(source: Path, target: Path, *, force: bool) -> None:
    """Copy a file. Raises `PerlesError` where one is there already, or it is gone."""
    try:
        if os.path.lexists(target) and not force:
            raise PerlesError(
                f"cannot copy to {clean(str(target))}: it exists already; --force overwrites it"
            )
        target.parent.mkdir(parents=True, exist_ok=True)
        with door.reading(source) as file, os.fdopen(door.create(target), "wb") as made:
            while piece := file.read(_PIECE):
                made.write(piece)
        target.chmod(source.stat().st_mode & 0o777)
    except OSError as error:
        why = error.strerror or str(error)
        raise PerlesError(f"cannot copy {clean(str(source))}: {why}") from error
