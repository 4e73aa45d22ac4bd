"""`make lint` runs this: the migrations and the models must say the same, SQLite in one room."""

import sys
import tempfile
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import create_engine

from perles.store import migrate
from perles.store.schema.tables import METADATA
from perles.store.sqlite.driver import dbapi
from perles.store.version import HEAD
from tests.unit.test_dialect import outside


def problems() -> list[str]:
    """What differs; [] when all is well."""
    heads = ScriptDirectory(str(migrate.migrations_dir())).get_heads()
    found = [] if heads == [HEAD] else [f"the migrations end at {heads}, the code at {HEAD}"]
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "perles.db"
        migrate.ensure(path)
        engine = create_engine(f"sqlite:///{path}", module=dbapi)
        with engine.connect() as connection:
            context = MigrationContext.configure(connection, opts={"compare_type": True})
            found += [str(change) for change in compare_metadata(context, METADATA)]
        engine.dispose()
    return found + [f"only perles/store/sqlite may say {line}" for line in outside()]


if __name__ == "__main__":
    for problem in problems():
        print(f"database: {problem}", file=sys.stderr)
    sys.exit(1 if problems() else 0)
