"""The migrations give a server the tables that the models declare."""

import os
import subprocess
import sys
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from perles.domain.errors import DatabaseError
from perles.store import migrate
from perles.store.reads.connection import reading
from perles.store.schema.tables import METADATA
from perles.store.version import HEAD
from tests.postgres.recording import script
from tests.postgres.server import Server, program

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


def test_a_new_database_is_what_the_migrations_make(
    path: Path, server: Server, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert migrate.is_made_at_once(path), "migrations/postgresql/fresh.sql is old: make statements"
    assert migrate.ensure(path)
    at_once = _dumped(server)
    server.run("CREATE DATABASE by_steps")
    monkeypatch.setenv("PERLES_DATABASE", server.url("by_steps"))
    migrate.upgrade_by_steps(path)

    assert _dumped(server) == at_once
    assert all(f" VIEW public.{view} " in at_once for view in VIEWS)
    assert "INSERT INTO public.alembic_version" in at_once


def test_what_is_recorded_is_what_the_migrations_say(server: Server) -> None:
    assert migrate.fresh_script(on_server=True).read_text() == script(server), "make statements"


def test_a_new_database_takes_neither_alembic_nor_sqlalchemy(path: Path) -> None:
    code = (
        "import sys; from pathlib import Path; from perles.store import migrate\n"
        "assert migrate.ensure(Path(sys.argv[1]))\n"
        "print(*sorted({'alembic', 'sqlalchemy'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", code, str(path)]

    assert subprocess.run(command, capture_output=True, text=True, check=True).stdout == "\n"


def test_a_new_database_stands_beside_what_others_keep(path: Path, server: Server) -> None:
    server.run("CREATE TABLE keepsake (x int)", _name())

    assert migrate.is_made_at_once(path)
    migrate.ensure(path)

    assert migrate.is_current(path)
    assert server.run("SELECT count(*) FROM keepsake", _name()) == "0\n"


def test_a_script_that_fails_leaves_nothing(path: Path, server: Server) -> None:
    server.run("CREATE TABLE workflows (x int)", _name())

    with pytest.raises(DatabaseError, match='"workflows" already exists'):
        migrate.ensure(path)

    assert server.run("SELECT tablename FROM pg_tables WHERE schemaname = 'public'", _name()) == (
        "workflows\n"
    )


def _name() -> str:
    """The database of the test."""
    return urlsplit(os.environ["PERLES_DATABASE"]).path.lstrip("/")


def _dumped(server: Server) -> str:
    """All that is in the database of the test, as SQL."""
    command = [program("pg_dump"), "--inserts", "--dbname", server.url(_name())]
    told = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    # Newer ones say with which random word their own commands are locked in.
    return "".join(line for line in told.splitlines(True) if "restrict " not in line)


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


def test_many_processes_that_meet_an_empty_database_make_it_once(path: Path) -> None:
    script = (
        "import sys; from pathlib import Path; from perles.store import migrate;"
        "print(migrate.ensure(Path(sys.argv[1])))"
    )
    command = [sys.executable, "-c", script, str(path)]
    made = [subprocess.Popen(command, stdout=subprocess.PIPE, text=True) for _ in range(4)]

    said = [process.communicate(timeout=60)[0].strip() for process in made]

    assert [process.returncode for process in made] == [0] * 4
    assert "True" in said
    assert migrate.is_current(path)
