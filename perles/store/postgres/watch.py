"""Noticing that another process committed to the database of a server."""

from __future__ import annotations

from typing import Any

from perles.store.postgres import lookout
from perles.store.sqlite.watch import Watch, is_readable


class ServerWatch(Watch):
    """Watches by the lookout of its process, which all watches of a database share."""

    looks = (0.0,)
    """Who rings has committed."""

    def __init__(self, connection: Any, *, quiet: float) -> None:
        self._quiet = quiet
        self._bell = lookout.Bell()
        self._lookout = lookout.joined(connection.address, self._bell)
        self._has_rung = False

    @property
    def fd(self) -> int:
        """Readable when the bell rang."""
        return self._bell.fd

    def close(self) -> None:
        """Watch no more."""
        self._lookout.leave(self._bell)
        self._bell.close()

    def hear(self) -> None:
        """Take in what rang."""
        self._has_rung |= self._bell.hear()

    def patience(self) -> float:
        """Seconds until the next look is due, unless `fd` is readable before."""
        return self._quiet

    def changed(self) -> bool:
        """Whether others committed since this was asked last. Raises the driver's errors."""
        self.hear()
        if self._lookout.error is not None:
            raise self._lookout.error
        rang, self._has_rung = self._has_rung, False
        return rang

    def wait(self) -> None:
        """Sleep until a look is worth while."""
        is_readable(self.fd, seconds=self._quiet)
