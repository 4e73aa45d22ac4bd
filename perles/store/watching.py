"""Noticing that another process committed, whatever the database is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perles.store.place import is_server
from perles.store.sqlite.watch import POLL as POLL
from perles.store.sqlite.watch import QUIET as QUIET
from perles.store.sqlite.watch import SETTLE
from perles.store.sqlite.watch import Watch as Watch

if TYPE_CHECKING:
    from pathlib import Path


def watched(
    connection: Any,
    path: Path,
    *,
    settle: float = SETTLE,
    quiet: float = QUIET,
    poll: float = POLL,
) -> Watch:
    """A watch of the database of one open connection, see `Watch`. Close it before that."""
    if is_server(connection):
        from perles.store.postgres.watch import ServerWatch

        return ServerWatch(connection, quiet=quiet)
    return Watch(connection, path, settle=settle, quiet=quiet, poll=poll)
