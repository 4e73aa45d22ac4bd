"""Tests of everything, each with its home's database on a server: `python -m tests.postgres.suite`.

`SERVER` names the server where a session of tests has one; without it nothing here does anything.
"""

import fnmatch
import itertools
import os
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import pytest

from tests.postgres.server import program

SERVER: Final = "PERLES_TEST_SERVER"
"""The variable that has the URL of the server, with {} for the name of a database."""
TEMPLATE: Final = "migrated"
"""The database of today's schema, of which each home gets a copy."""
SHARED_HOMES: Final = {
    "tests.integration.test_http_attacks": "served",
    "tests.integration.test_mcp_guard": "shared",
}
"""Modules with a home that their tests share, and its fixture."""
_FOLDERS: Final = frozenset({"tmp_path", "tmp_path_factory"})
"""Fixtures by which a test has a folder: one without has no home, and three in four have none."""
_NO_DATABASE: Final = "there_is_no_home"
"""Where a test without a folder looks for a database, and finds none."""
_NUMBERS: Final = itertools.count(1)
_ABOUT_THE_FILE: Final = "is about SQLite's file"
LEFT_OUT: Final[dict[str, str]] = {
    "*test_store.py::test_a_write_goes_to_the_file_that_has_the_name_now": _ABOUT_THE_FILE,
    "*test_store.py::test_every_writing_connection_is_durable_and_checks_keys": _ABOUT_THE_FILE,
    "*test_store.py::test_i4_*": _ABOUT_THE_FILE,
    "*test_store.py::test_views_read_bare_with_sqlite3": _ABOUT_THE_FILE,
    "*test_store.py::test_a_fresh_database_is_made_once_by_many_processes": _ABOUT_THE_FILE,
    "*test_past_anything.py::test_a_home_of_any_name_has_its_database_in_it_*": _ABOUT_THE_FILE,
    "*test_past_anything.py::test_a_backup_of_a_name_too_long_*": "a server has its own backups",
    "*test_persons.py::test_an_agent_runs_workflows_of_its_own": "needs two databases at once",
    "*test_python_api.py::test_upkeep_by_the_facade": "a server has its own backups",
    "*test_reading.py::test_sqlite3_sees_the_same_truth": _ABOUT_THE_FILE,
    "*test_reading.py::*imports*": "psycopg imports asyncio",
    "*test_completion.py::test_nothing_heavy_is_loaded_for_it": "psycopg imports asyncio",
    "*test_file_watch.py*": _ABOUT_THE_FILE,
    "*test_watching.py::test_a_commit_of_another_process_*": _ABOUT_THE_FILE,
    "*test_watching.py::test_what_another_process_writes_*": _ABOUT_THE_FILE,
    "*test_watching.py::test_it_looks_often_*": _ABOUT_THE_FILE,
    "*test_watching.py::test_a_write_ends_a_long_wait_*": _ABOUT_THE_FILE,
    "*test_watching.py::test_without_the_kernel_*": _ABOUT_THE_FILE,
    "*test_watching.py::test_a_statement_with_a_limit_*": "counts what SQLite's driver plans",
    "*test_maintenance.py::test_vacuum_gives_the_space_back_*": _ABOUT_THE_FILE,
    "*test_moved_home.py*": "a database on a server does not move with its home",
    "*test_first_words.py::test_the_path_of_a_database_that_is_not_there_is_told": _ABOUT_THE_FILE,
    "*test_sessions.py::test_a_database_that_goes_away_leaves_a_banner": _ABOUT_THE_FILE,
    "*test_first_release.py*": "no database on a server is as old",
    "*test_alembic_by_hand.py*": _ABOUT_THE_FILE,
    "*test_bad_input.py::test_a_file_that_is_no_database_is_told": _ABOUT_THE_FILE,
    "*test_bad_input.py::test_a_home_that_may_not_be_written_*": "only the file is in the home",
    "*test_bad_input.py::test_a_full_disk_is_told_and_nothing_is_written": _ABOUT_THE_FILE,
    "*test_bulkheads.py::test_a_damaged_database_is_told_in_a_line*": _ABOUT_THE_FILE,
    "*test_ids.py::test_an_upgrade_keeps_every_row_*": "no database on a server is as old",
    "*test_full_disk.py*": "fills the disk of the file",
}
"""Tests that do not run on a server, by globs of their names, each with the reason."""


def is_on() -> bool:
    """Whether this session of tests has a server."""
    return SERVER in os.environ


def kept_in(root: Path) -> bytes:
    """All that the database of this home has kept: its files, or what pg_dump writes of it."""
    if not is_on():
        return b"".join(file.read_bytes() for file in root.glob("perles.db*"))
    command = [program("pg_dump"), os.environ["PERLES_DATABASE"]]
    return subprocess.run(command, capture_output=True, check=True).stdout


def why_left_out(name: str) -> str | None:
    """Why a test does not run on a server; None for one that does."""
    return next((why for glob, why in LEFT_OUT.items() if fnmatch.fnmatch(name, glob)), None)


@contextmanager
def database(*, is_empty: bool) -> Iterator[str]:
    """The URL of a new database, which is gone afterwards."""
    import psycopg

    name = f"home_{os.getpid()}_{next(_NUMBERS)}"
    template = "template0" if is_empty else TEMPLATE
    with psycopg.connect(os.environ[SERVER].format("postgres"), autocommit=True) as session:
        session.execute(f"CREATE DATABASE {name} TEMPLATE {template} STRATEGY file_copy")
        try:
            yield os.environ[SERVER].format(name)
        finally:
            session.execute(f"DROP DATABASE {name} WITH (FORCE)")


@contextmanager
def another(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """A database for one more home of a test, instead of the one before; a file is as before."""
    if not is_on():
        yield
        return
    with database(is_empty=False) as url:
        _use(patch, url)
        yield


@pytest.fixture(scope="module", autouse=True)
def _database_of_a_module(request: Any) -> Iterator[None]:
    """A database for the home that all tests of a module share, where there is one."""
    if request.module.__name__ not in SHARED_HOMES:
        yield
        return
    with database(is_empty=True) as url, pytest.MonkeyPatch.context() as patch:
        _use(patch, url)
        yield


@pytest.fixture(autouse=True)
def _database_of_a_test(request: Any, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A database for each test with a folder. A home that is fresh finds an empty one."""
    used = request.fixturenames
    if SHARED_HOMES.get(request.module.__name__) in used:
        yield
        return
    if not _FOLDERS.intersection(used):
        _use(monkeypatch, os.environ[SERVER].format(_NO_DATABASE))
        yield
        return
    with database(is_empty="fresh_home" in used and "home" not in used) as url:
        _use(monkeypatch, url)
        yield


def _use(patch: pytest.MonkeyPatch, url: str) -> None:
    from tests.postgres import by_hand

    patch.setenv("PERLES_DATABASE", url)
    patch.setattr(by_hand.driver.dbapi, "connect", by_hand.connect)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Skip what is about SQLite's file."""
    for item in items:
        why = why_left_out(item.nodeid)
        if why is not None:
            item.add_marker(pytest.mark.skip(reason=f"on a server: {why}"))
