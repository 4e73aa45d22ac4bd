"""Alembic from a shell: on the database of PERLES_HOME, or on one that is named."""

import subprocess
import sys
from pathlib import Path

import pytest

from perles.store import migrate
from perles.store.sqlite.engine_lock import EngineLock
from perles.store.version import HEAD
from tests.integration.cli import Home

ROOT = Path(__file__).parents[2]
INSTALLED = ROOT / "migrations" / "alembic.ini"


def _alembic(home: Home, *words: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "alembic", "-c", str(ROOT / "alembic.ini"), *words],
        env={**home.environ, "PERLES_HOME": str(home.root)},
        cwd=home.work,
        capture_output=True,
        text=True,
    )


def test_upgrade_makes_the_database_of_the_home(fresh_home: Home) -> None:
    said = _alembic(fresh_home, "current")
    assert "alembic upgrade head makes it" in said.stdout + said.stderr
    assert not fresh_home.database.exists()

    assert _alembic(fresh_home, "upgrade", "head").returncode == 0

    assert migrate.is_current(fresh_home.database)
    assert fresh_home.root.stat().st_mode & 0o777 == 0o700
    assert f"{HEAD} (head)" in _alembic(fresh_home, "current").stdout
    assert _alembic(fresh_home, "check").returncode == 0
    assert fresh_home.perles("list").returncode == 0


def test_a_named_database_is_meant_alone(fresh_home: Home, tmp_path: Path) -> None:
    other = tmp_path / "other db?.db"

    assert _alembic(fresh_home, "-x", f"db={other}", "upgrade", "0026").returncode == 0
    assert "0026" in _alembic(fresh_home, "-x", f"db={other}", "current").stdout
    assert _alembic(fresh_home, "-x", f"db={other}", "upgrade", "head").returncode == 0

    assert migrate.is_current(other)
    assert other.with_name(f"{other.name}.bak-0026").exists()
    assert not fresh_home.database.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["downgrade", "-1"], "cannot downgrade"),
        (["stamp", "0001"], "cannot stamp"),
        (["upgrade", "head", "--sql"], "cannot write the migrations as SQL"),
    ],
)
def test_what_would_do_harm_is_refused_in_words(home: Home, words: list[str], said: str) -> None:
    done = _alembic(home, *words)

    assert done.returncode != 0
    assert said in done.stdout + done.stderr
    assert "Traceback" not in done.stderr
    assert migrate.is_current(home.database)


def test_an_engine_that_runs_is_not_disturbed(fresh_home: Home) -> None:
    fresh_home.root.mkdir(mode=0o700)
    with EngineLock(fresh_home.database):
        done = _alembic(fresh_home, "upgrade", "head")

    assert done.returncode != 0
    assert "an engine already runs" in done.stdout + done.stderr
    assert not fresh_home.database.exists()
