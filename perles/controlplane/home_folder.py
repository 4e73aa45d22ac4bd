"""One home folder: its database, its configuration, and who asks for a change.

What needs no more than this, such as creating a workflow, imports nothing of the engine.
"""

from __future__ import annotations

import os
from contextlib import contextmanager
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

from perles.config.home import Paths, home
from perles.controlplane.quick import Reads
from perles.domain.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from perles.access.origin import Origin
    from perles.config.model import Config
    from perles.config.trust import Unused
    from perles.store.database import Database
    from perles.store.transaction import Tx


class HomeFolder(Reads):
    """The database and the configuration of one home folder."""

    def __init__(self, home_dir: Path | None = None, *, config_file: Path | None = None) -> None:
        super().__init__(Paths(home_dir or home(os.environ)))
        self._config_file = config_file

    @cached_property
    def database_path(self) -> Path:
        """The SQLite file."""
        return self.paths.database_path()

    @contextmanager
    def reads_kept_open(self) -> Iterator[None]:
        """Keep the database open between reads, for as long as somebody reads again and again."""
        from perles.store.reads.connection import keep

        let_go = keep(self.database_path)
        try:
            yield
        finally:
            let_go()

    @property
    def database_name(self) -> str:
        """The database for people: its path, or the URL on its server without a password."""
        from perles.store.place import shown

        return shown(self.database_path)

    @cached_property
    def _database(self) -> Database:
        from perles.store import migrate
        from perles.store.database import Database

        self.paths.ensure_home()
        migrate.ensure(self.database_path)
        return Database(self.database_path)

    def need_person(self, what: str) -> Origin:
        """Who asks for `what`. Raises `PersonNeededError`, and tells the person, for an agent."""
        return self._asker(what)

    def _origin(self) -> Origin:
        """Who asks, whatever it is."""
        from perles.access import origin

        return origin.here(self.database_path)

    def _asker(self, what: str, workflow_id: str | None = None) -> Origin:
        from perles.access.decisions import asker

        def write(record: Callable[[Tx], None]) -> None:
            self._database.write(record)

        return asker(self.database_path, write, what, workflow_id)

    def config(self, work_dir: Path | None = None) -> Config:
        """The configuration as it holds in a folder, or here. Raises `UsageError`."""
        from perles.config.load import load

        return load(config_file=self._config_file, work_dir=work_dir, home=self.paths.root)

    def engine_config(self) -> Config:
        """The configuration that an engine has, wherever it is started. Raises `UsageError`."""
        from perles.config.load import load_for_engine

        return load_for_engine(config_file=self._config_file)

    def unused_settings(self) -> list[Unused]:
        """What of the repository's configuration does not count here. Raises `UsageError`."""
        from perles.config.load import unused

        return unused(config_file=self._config_file, home=self.paths.root)

    def _config_or_error(self) -> tuple[Config, str | None, tuple[str, ...]]:
        """The configuration, or the defaults with what is wrong; and what of it does not count."""
        from perles.config.files import files
        from perles.config.load import ignored_keys
        from perles.config.model import Config

        try:
            config = self.config()
            ignored = ignored_keys(files(config_file=self._config_file))
            told = [f"{key} has no effect" for key in ignored]
            return config, None, (*told, *map(str, self.unused_settings()))
        except UsageError as error:
            return Config(), str(error), ()
