"""Brings a database to the schema of this code. Nothing else issues DDL.

Alembic costs half a second to import, and each migration its share: where there is no database yet,
a script makes in one go what they all together would (`make statements`).
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perles.domain.errors import DatabaseError, EngineRunsError
from perles.store.place import address_of, engine_lock, open_readonly, shown, url_of
from perles.store.sqlite import backend, copying, fresh
from perles.store.sqlite.driver import dbapi
from perles.store.sqlite.engine_lock import EngineLock
from perles.store.sqlite.errors import database_errors
from perles.store.version import HEAD, refuse_newer, schema_version

if TYPE_CHECKING:
    from alembic.config import Config
    from sqlalchemy import Connection

PATIENCE = 20.0
"""Seconds to wait for another process that migrates the same database."""


def migrations_dir() -> Path:
    """The folder of the migrations: inside the installed package, or the checkout's own."""
    package = Path(__file__).resolve().parents[1]
    packaged = package / "_migrations"
    return packaged if packaged.is_dir() else package.parent / "migrations"


def current(path: Path) -> str | None:
    """The revision of the database at `path`, None where there is no file or no schema yet.

    Raises `DatabaseError`, also for a database that is newer than the code.
    """
    if not is_there(path):
        return None
    with database_errors(path):
        connection = open_readonly(path)
        try:
            version = schema_version(connection)
        finally:
            connection.close()
    refuse_newer(version, path)
    return version


def is_there(path: Path) -> bool:
    """Whether there is a database, be it without a schema; one on a server counts as there."""
    return url_of(path) is not None or path.exists()


def is_current(path: Path) -> bool:
    """Whether the database at `path` has the schema of this code. Raises `DatabaseError`."""
    return current(path) == HEAD


def ensure(path: Path, lock: EngineLock | None = None) -> bool:
    """Make or upgrade the database at `path` where needed; whether there was anything to do.

    Takes the engine lock for that moment, unless `lock` is held by the caller.
    Another process that does the same is waited for. Raises `DatabaseError`.
    """
    if is_current(path):
        return False
    if lock is not None:
        _upgrade(path)
        return True
    deadline = time.monotonic() + PATIENCE
    own = engine_lock(path)
    while not is_current(path):
        try:
            own.acquire()
        except EngineRunsError as error:
            if time.monotonic() > deadline:
                raise DatabaseError(
                    f"cannot upgrade database {shown(path)}: process {error.pid} holds it; "
                    "stop that engine first: perles engine stop"
                ) from error
            time.sleep(0.02)
            continue
        try:
            if not is_current(path):
                _upgrade(path)
        finally:
            own.release()
    return True


def fresh_script(*, on_server: bool = False) -> Path:
    """The script of what all migrations together make of an empty database."""
    folder = migrations_dir()
    return (folder / "postgresql" if on_server else folder) / "fresh.sql"


def is_made_at_once(path: Path) -> bool:
    """Whether there is no database yet, and it is made without Alembic. Raises `DatabaseError`."""
    address = address_of(path)
    if not fresh.is_of(fresh_script(on_server=address is not None), HEAD):
        return False
    if address is not None:
        from perles.store.postgres import migrations

        return migrations.is_empty(address)
    with database_errors(path):
        return fresh.is_empty(path)


def _upgrade(path: Path) -> None:
    if not is_made_at_once(path):
        upgrade_by_steps(path)
        return
    address = address_of(path)
    if address is not None:
        from perles.store.postgres import migrations

        migrations.make(address, fresh_script(on_server=True))
        return
    with database_errors(path):
        fresh.make(path, fresh_script())
    path.chmod(0o600)


def upgrade_by_steps(path: Path) -> None:
    """Run each migration that the database lacks; the caller holds the engine lock.

    Raises `DatabaseError`.
    """
    from alembic import command
    from alembic.util import CommandError

    with upgrading(path) as connection:
        config = alembic_config()
        config.attributes["connection"] = connection
        try:
            command.upgrade(config, "head")
        except CommandError as error:
            raise DatabaseError(
                f"cannot upgrade database {shown(path)}: its schema {current(path)} is unknown to "
                "this perles; restore a backup, or move the file away"
            ) from error


@contextmanager
def upgrading(path: Path) -> Iterator["Connection"]:
    """A transaction in which migrations run: a backup is kept, and all of it holds or nothing.

    The caller holds the engine lock. Raises `DatabaseError`.
    """
    address = address_of(path)
    if address is not None:
        from perles.store.postgres import migrations

        with migrations.upgrading(address) as connection:
            yield connection
        return
    with database_errors(path):
        version = current(path)
        if version is not None:
            backup(path, path.with_name(f"{path.name}.bak-{version}"))
        engine = _migration_engine(path)
        try:
            with engine.connect() as connection:
                connection.exec_driver_sql(backend.BEGIN)
                yield connection
                broken = backend.lost_parents(connection.connection.driver_connection)
                if broken:
                    connection.exec_driver_sql("ROLLBACK")
                    raise DatabaseError(
                        f"cannot upgrade database {path}: {broken} rows lost their parent; "
                        "nothing was changed"
                    )
                connection.exec_driver_sql("COMMIT")
        finally:
            engine.dispose()
    path.chmod(0o600)


@contextmanager
def looking(path: Path) -> Iterator["Connection"]:
    """A connection of SQLAlchemy that only reads. Raises `DatabaseError`."""
    address = address_of(path)
    if address is not None:
        from perles.store.postgres import migrations

        with migrations.looking(address) as connection:
            yield connection
        return
    from sqlalchemy import create_engine

    with database_errors(path):
        engine = create_engine("sqlite://", creator=lambda: open_readonly(path), module=dbapi)
        try:
            with engine.connect() as connection:
                yield connection
        finally:
            engine.dispose()


def backup(source: Path, target: Path) -> None:
    """Copy a database, live or not, to `target` in one consistent piece."""
    with database_errors(target):
        copying.copy_as_it_is(source, target)
    target.chmod(0o600)


def alembic_config() -> "Config":
    """The configuration of Alembic for the migrations of this code."""
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(migrations_dir()).replace("%", "%%"))
    return config


def _migration_engine(path: Path) -> Any:
    """An engine in driver autocommit: the migration itself says BEGIN and COMMIT."""
    from sqlalchemy import URL, create_engine, event

    engine = create_engine(URL.create("sqlite", database=str(path)), module=dbapi)

    @event.listens_for(engine, "connect")
    def _connected(connection: Any, _record: object) -> None:
        connection.isolation_level = None
        backend.prepare_migration(connection)

    return engine
