"""One run of upkeep at a time, over all processes of a home."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from perles.domain.errors import MaintenanceRunsError
from perles.store import lock_file


@contextmanager
def alone(database: Path) -> Iterator[None]:
    """Hold the maintenance lock of this database. Raises `MaintenanceRunsError`."""
    path = database.with_name(database.name + ".maintenance.lock")
    if not path.parent.is_dir():
        yield  # no home folder yet: nothing to guard
        return
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        if not lock_file.lock(fd):
            raise MaintenanceRunsError
        yield
    finally:
        os.close(fd)
