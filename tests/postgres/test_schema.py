"""The migrations give a server the tables that the models declare."""

import os
import subprocess
import sys
from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from perles.store import migrate
from perles.store.reads.connection import reading
from perles.store.schema.tables import METADATA
from perles.store.version import HEAD

VIEWS = ("workflow_overview", "running_workflows", "agent_overview", "start_queue")


def test_the_migrations_and_the_models_say_the_same(path: Path) -> None:
    assert migrate.ensure(path)

    assert migrate.current(path) == HEAD
    with migrate.looking(path) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    with reading(path) as opened:
        assert opened is not None
        for view in (*VIEWS, "resource_usage", "recent_events"):
            opened.execute(f"SELECT * FROM {view}").fetchall()
    assert not migrate.ensure(path)


def test_alembic_by_hand_takes_the_url_of_a_server(path: Path) -> None:
    url = os.environ["PERLES_DATABASE"].replace("//perles@", "//perles:hidden@")
    ini = Path(__file__).parents[2] / "alembic.ini"
    environ = {**os.environ, "PERLES_HOME": str(path.parent)}
    del environ["PERLES_DATABASE"]

    def alembic(*words: str) -> tuple[int, str]:
        command = [sys.executable, "-m", "alembic", "-c", str(ini), "-x", f"db={url}", *words]
        done = subprocess.run(command, env=environ, capture_output=True, text=True, check=False)
        return done.returncode, done.stdout + done.stderr

    assert alembic("upgrade", "head")[0] == 0
    said = alembic("current")
    assert (said[0], f"{HEAD} (head)" in said[1]) == (0, True), said
    assert alembic("check")[0] == 0
    code, told = alembic("downgrade", "-1")
    assert code != 0
    assert "cannot downgrade postgresql://perles@" in told
    assert "hidden" not in told
    assert not path.exists()
