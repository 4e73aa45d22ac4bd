"""One server for all tests of this folder; they are left out where PostgreSQL is not installed."""

from collections.abc import Iterator

import pytest

from tests.postgres.server import Server, is_installed, running


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """A PostgreSQL server."""
    if not is_installed():
        pytest.skip("PostgreSQL is not installed: apt-get install postgresql")
    with running() as found:
        yield found
