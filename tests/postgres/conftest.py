"""One server for all tests of this folder; they are left out where PostgreSQL is not installed."""

import itertools
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.postgres.server import Server, is_installed, running

_NUMBERS = itertools.count(1)


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server."""
    if not is_installed():
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with running() as found:
        yield found


@pytest.fixture
def path(server: Server, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The path of a home's database, which is on the server, and empty."""
    pytest.importorskip("psycopg", reason="psycopg is not installed here")
    name = f"home_{os.getpid()}_{next(_NUMBERS)}"
    server.run(f"CREATE DATABASE {name}")
    monkeypatch.setenv("PERLES_DATABASE", server.url(name))
    return tmp_path / "perles.db"
