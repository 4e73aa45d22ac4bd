"""Whether this SQLite is safe, and the database can be read."""

from collections.abc import Iterator

from perles.doctor.finding import OK, PROBLEM, Finding
from perles.doctor.machine.surroundings import Surroundings
from perles.domain.errors import DatabaseError
from perles.store.place import bytes_of, shown
from perles.store.reads.connection import reading
from perles.store.sqlite.driver import dbapi, dbapi_is_safe


def check(surroundings: Surroundings) -> Iterator[Finding]:
    """SQLite's version and the database's."""
    yield sqlite(dbapi.sqlite_version, is_safe=dbapi_is_safe)
    path = surroundings.paths.database_path()
    try:
        with reading(path) as connection:
            if connection is None:
                yield Finding(
                    "database", OK, f"none yet at {shown(path)}; the first workflow makes it"
                )
                return
            there = bytes_of(connection)
            size = (path.stat().st_size if there is None else there) / 2**20
            yield Finding("database", OK, f"{shown(path)}, {size:.1f} MiB")
    except DatabaseError as error:
        yield Finding("database", PROBLEM, str(error))


def sqlite(version: str, *, is_safe: bool) -> Finding:
    """What an SQLite of this version means."""
    if is_safe:
        return Finding("sqlite", OK, f"SQLite {version}")
    return Finding(
        "sqlite",
        PROBLEM,
        f"SQLite {version} can damage a database when two connections write at the same instant",
        "pip install pysqlite3, or a Python with SQLite 3.51.3 or newer",
    )
