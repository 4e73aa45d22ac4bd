"""`perles maintenance`: upkeep, fit for cron: one run at a time, quiet when all is well."""

import fcntl
import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Annotated

import typer

from perles.cli.output import print_json, say
from perles.controlplane import ControlPlane
from perles.domain.errors import MaintenanceRunsError

app = typer.Typer(
    help="Upkeep, fit for cron: one run at a time, quiet when all is well.", no_args_is_help=True
)


@contextmanager
def alone(plane: ControlPlane) -> Iterator[None]:
    """Hold the maintenance lock. Raises `MaintenanceRunsError`."""
    path = plane.database_path.with_name(plane.database_path.name + ".maintenance.lock")
    if not path.parent.is_dir():
        yield  # no home folder yet: nothing to guard
        return
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        raise MaintenanceRunsError from None
    else:
        yield
    finally:
        os.close(fd)


@app.command()
def check(
    json: Annotated[bool, typer.Option("--json", help="An array of what is wrong.")] = False,
) -> None:
    """Tell what is wrong, and fix nothing: exit 1 when something is."""
    plane = ControlPlane()
    with alone(plane):
        _tell(plane.check(), json)


@app.command()
def reconcile(
    json: Annotated[bool, typer.Option("--json", help="An array of what is still wrong.")] = False,
) -> None:
    """Repair what check finds, as a starting engine does; a running one does so itself."""
    plane = ControlPlane()
    with alone(plane):
        if plane.check() and not plane.engine_runs():
            plane.reconcile()
        _tell(plane.check(), json)


def _tell(found: Sequence[str], as_json: bool) -> None:
    if as_json:
        print_json(list(found))
    else:
        for line in found:
            say(line)
    if found:
        raise typer.Exit(1)
