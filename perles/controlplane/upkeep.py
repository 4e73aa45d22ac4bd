"""What keeps a home small, sound and safe: the part of the façade about the database itself."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any, NamedTuple

from perles.controlplane.lifecycle import Lifecycle
from perles.domain.errors import NotFoundError
from perles.domain.states import WORKFLOW

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path


class Schemas(NamedTuple):
    """The schema of the database, None where there is none yet, and that of this program."""

    database: str | None
    program: str


class Upkeep(Lifecycle):
    """Upkeep of one home. Where it says so, one run at a time: `MaintenanceRunsError`."""

    def check(self, *, alone: bool = False) -> Sequence[str]:
        """What is wrong with database, processes and files, a line each; fixes nothing.

        With `alone`, one run of upkeep at a time.
        """
        from perles.maintenance.check import check

        with self._alone() if alone else nullcontext():
            return check(self.paths)

    def unknown_sessions(self) -> str | None:
        """What to tell of session folders of another database's workflows; None: nothing."""
        from perles.maintenance.check import unknown_sessions

        return unknown_sessions(self.paths)

    def repair(self) -> Sequence[str]:
        """Repair what `check` finds, where no engine runs; what is still wrong. One at a time."""
        with self._alone():
            if self.check() and not self.engine_comes_back():
                self.reconcile()
            return self.check()

    def prune(self, *, older_than: float, keep: int = 0, dry_run: bool = False) -> dict[str, Any]:
        """Remove workflows that ended more than `older_than` seconds ago, but the newest `keep`.

        What was removed and spared, as `maintenance prune --json` has it; with `dry_run` only
        what would be. One run at a time. Raises `PersonNeededError` for an agent.
        """
        from perles.maintenance.prune import prune

        self.paths.refuse_shared()
        if not dry_run:
            self.need_person("prune workflows")
        with self._alone():
            return prune(self.paths, older_than=older_than, keep=keep, dry_run=dry_run)

    def remove(
        self, refs: Sequence[str], *, force: bool = False, dry_run: bool = False
    ) -> dict[str, Any]:
        """Remove workflows that have ended, with their session folders; as `prune`.

        `force` first stops workflows that have not ended. One with unmerged work in its
        worktree is spared. Raises `NotFoundError`, `WrongStateError` where one has not ended,
        `PersonNeededError` for an agent.
        """
        from perles.domain.errors import WrongStateError
        from perles.maintenance.prune import remove

        self.paths.refuse_shared()
        if not dry_run:
            self.need_person("remove workflows")
        ids = list(dict.fromkeys(self.registry.resolve(ref) for ref in refs))
        for id in ids:
            state = self.state_of(id)
            if state not in WORKFLOW.terminal and not force:
                raise WrongStateError("workflow", id, state, "remove")
            if state not in WORKFLOW.terminal and not dry_run:
                self.stop(id, reason="it is removed")
        with self._alone():
            return remove(self.paths, ids, dry_run=dry_run)

    def backup(self, file: Path | None = None, *, keep: int = 0) -> Path:
        """Copy the live database to a file, verified; its path. One run at a time.

        Without `file` to a new one in the home's backups folder, of which the newest `keep`
        stay, all with 0. Raises `NotFoundError` where there is no database, `DatabaseError`.
        """
        from perles.maintenance.backup import backup, backup_in_home
        from perles.store.place import url_of

        if url_of(self.database_path) is None and not self.database_path.exists():
            raise NotFoundError("database", str(self.database_path))
        self.paths.refuse_shared()
        with self._alone():
            if file is None:
                return backup_in_home(self.paths, keep=keep)
            backup(self.database_path, file)
            return file

    def vacuum(self) -> None:
        """Return the space of removed rows to the disk; writers wait. One run at a time."""
        from perles.maintenance.vacuum import vacuum
        from perles.store.place import url_of

        if url_of(self.database_path) is None and not self.database_path.exists():
            return
        self.paths.refuse_shared()
        with self._alone():
            vacuum(self.database_path)

    def stats(self) -> dict[str, Any]:
        """The size of the home: database, rows, sessions, backups, as `stats --json` has it."""
        from perles.maintenance.stats import stats

        return stats(self.paths)

    def migrate(self) -> bool:
        """Create the database, or migrate it to this program's schema; whether it was needed.

        A backup is kept. Raises `DatabaseError`.
        """
        from perles.store import migrate

        self.paths.ensure_home()
        return migrate.ensure(self.database_path)

    def copy_database(self, source: str, target: str) -> dict[str, int]:
        """Copy a database, each a file or a URL, to an empty one; the rows of each table.

        Raises `UsageError`, and `DatabaseError` where nothing was copied.
        """
        from perles.store import moving

        self.need_person("copy the database")
        return moving.copy(source, target, self.paths.root)

    def schemas(self) -> Schemas:
        """The schema of the database and of this program. Raises `DatabaseError`."""
        from perles.store import migrate
        from perles.store.version import HEAD

        return Schemas(migrate.current(self.database_path), HEAD)

    def _alone(self) -> AbstractContextManager[None]:
        from perles.maintenance.lock import alone

        return alone(self.database_path)
