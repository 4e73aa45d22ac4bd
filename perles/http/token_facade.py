"""The façade as the holder of a token uses it, and requests that are carried out once."""

from __future__ import annotations

import threading
import time
from functools import cached_property
from typing import TYPE_CHECKING

from perles.controlplane.outcomes import Outcome
from perles.controlplane.plane import ControlPlane
from perles.http.idempotency_key import Keyed

if TYPE_CHECKING:
    from pathlib import Path

    from perles.access.origin import Origin
    from perles.config.model import Config
    from perles.domain.commands import Command
    from perles.http.idempotent_requests import KeyedDatabase
    from perles.store.database import Database
    from perles.store.reads.tokens import Holder


class Base(ControlPlane):
    """What the requests of one process share: the database, opened for writing when needed."""

    def __init__(self, home_dir: Path, *, config_file: Path | None = None) -> None:
        super().__init__(home_dir, config_file=config_file)
        self._opening = threading.Lock()

    def database(self) -> Database:
        """The one that all write to."""
        with self._opening:
            return self._database


class Asking(ControlPlane):
    """The façade for one request. What is asked is a person's wish: the token says so.

    A command is waited for until `deadline` (monotonic seconds); then it stays queued.
    """

    def __init__(
        self, base: Base, holder: Holder, *, deadline: float = 0.0, keyed: Keyed | None = None
    ) -> None:
        super().__init__(base.paths.root, config_file=base._config_file)
        self._base, self.holder = base, holder
        self._deadline, self.keyed = deadline, keyed
        self.folder: Path | None = None
        """Where the configuration of a new workflow is looked for."""

    @cached_property
    def _database(self) -> Database:
        shared = self._base.database()
        return shared if self.keyed is None else self.keyed_database(shared)

    def keyed_database(self, shared: Database) -> KeyedDatabase:
        """The database in whose first transaction the key is taken."""
        from perles.http.idempotent_requests import KeyedDatabase

        assert self.keyed is not None
        return KeyedDatabase(shared, self.keyed)

    def _origin(self) -> Origin:
        """The token's holder, whatever process started this one."""
        import os

        from perles.access.origin import Origin

        return Origin(os.getuid(), os.getpid(), None, None, self.holder.name)

    def _asker(self, what: str, workflow_id: str | None = None) -> Origin:
        del what, workflow_id
        return self._origin()

    def config(self, work_dir: Path | None = None) -> Config:
        """The configuration of the folder that the request names, never of our own."""
        return super().config(work_dir or self.folder or self.paths.root)

    def _request(
        self, ref: str, command: Command, *, wait: bool = True, with_engine: bool = False
    ) -> Outcome:
        del wait
        request = self.ask(ref, command)
        return self.outcome(request, with_engine=with_engine, give_up=self.is_late)

    def is_late(self) -> bool:
        """Whether the client waits no longer."""
        return time.monotonic() >= self._deadline
