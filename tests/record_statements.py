"""`make statements` runs this: records what SQLAlchemy and Alembic say, which Perles runs.

The text of each statement (`perles.store.sql`), and the scripts of what the migrations make of an
empty file, and of an empty database on a PostgreSQL server (`perles.store.migrate`). What is not
recorded Perles has them say again.
"""

import gc
import importlib
import pkgutil
import sys
import tempfile
from contextlib import closing
from pathlib import Path
from typing import Any, Final

import perles
from perles.domain.errors import PerlesError

FILE: Final = Path(str(perles.__file__)).parent / "store" / "sqlite" / "recorded.py"
_HEAD: Final = '''"""The texts of the statements as SQLAlchemy writes them: `make statements`.

Each stands by the digest of its expression (`perles.store.sql.digest`), with its own constants.
"""
# ruff: noqa
# fmt: off

STATEMENTS: dict[str, tuple[str, dict[str, object]]] = {
'''


def statements() -> dict[str, tuple[str, dict[str, Any]]]:
    """The text of every statement of every module, by the digest of its expression.

    Raises `ValueError` for one that has no digest.
    """
    # Not imported above: what is recorded may be damaged, as by a merge, and is written anew then.
    from perles.store.compiling import compiled
    from perles.store.sql import Sql, digest, plain

    for module in pkgutil.walk_packages(perles.__path__, "perles."):
        if not module.name.endswith("__main__"):
            _import(module.name)
    found = {}
    for one in gc.get_objects():
        if isinstance(one, Sql) and one.statement is not None:
            text, constants = compiled(one.statement)
            place = digest(one.statement)
            if not place:
                raise ValueError(f"cannot record: {text}")
            found[place] = text, {name: plain(value) for name, value in constants.items()}
    return dict(sorted(found.items()))


def _import(name: str) -> None:
    try:
        importlib.import_module(name)
    except (ModuleNotFoundError, PerlesError) as error:
        cause = error if isinstance(error, ModuleNotFoundError) else error.__cause__
        lacks = getattr(cause, "name", None)
        if lacks is None or lacks.startswith("perles"):
            raise  # else it is of an extra that is not installed


def script() -> str:
    """What the migrations make of an empty file, as a script."""
    from perles.store import migrate
    from perles.store.sqlite.driver import open_readonly
    from perles.store.version import HEAD

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "new.db"  # never on a server
        migrate.upgrade_by_steps(path)
        with closing(open_readonly(str(path))) as connection:
            return _script_of(connection, HEAD)


def _script_of(connection: Any, revision: str) -> str:
    """The script that makes what is in a database: its tables, indexes and views, and its rows."""
    from perles.store.sqlite import fresh

    objects = connection.execute("SELECT type, name, sql FROM sqlite_master ORDER BY rowid")
    ours = [row for row in objects.fetchall() if not row[1].startswith("sqlite_")]
    lines = [f"{sql};\n" for _, _, sql in ours if sql]
    for name in (name for kind, name, _ in ours if kind == "table"):
        lines += [f"{one};\n" for one in _inserts(connection, name)]
    return fresh.FIRST_LINE.format(revision) + "".join(lines)


def _inserts(connection: Any, table: str) -> list[str]:
    names = [row[0] for row in connection.execute(f"SELECT * FROM {table}").description]
    values = " || ', ' || ".join(f"quote({name})" for name in names)
    rows = connection.execute(f"SELECT {values} FROM {table}").fetchall() if names else []
    return [f"INSERT INTO {table} ({', '.join(names)}) VALUES ({row[0]})" for row in rows]


def source() -> str:
    """The module that holds them."""
    lines = [f"    {place!r}: {text!r},\n" for place, text in statements().items()]
    return f"{_HEAD}{''.join(lines)}}}\n"


def recorded() -> dict[Path, str]:
    """The files that `make statements` writes, and what stands in each."""
    from perles.store import migrate

    return {FILE: source(), migrate.fresh_script(): script()}


def record_on_server() -> None:
    """Write the script of a new database on a server, which takes a server."""
    from perles.store import migrate
    from tests.postgres.server import is_installed, running

    place = migrate.fresh_script(on_server=True)
    if not is_installed():
        print(f"{place} is as it was: it takes PostgreSQL to record it", file=sys.stderr)
        return
    from tests.postgres.recording import script as script_on_server

    with running() as server:
        place.write_text(script_on_server(server))


def _mend() -> None:
    """Have a file that can be imported, also after a merge that left its marks in it."""
    try:
        compile(FILE.read_text(), FILE, "exec")
    except SyntaxError:
        FILE.write_text(f"{_HEAD}}}\n")


if __name__ == "__main__":
    if "--check" not in sys.argv:
        _mend()
        for place, text in recorded().items():
            place.write_text(text)
        record_on_server()
    elif any(place.read_text() != text for place, text in recorded().items()):
        sys.exit("database: what is recorded of it is old: make statements")
