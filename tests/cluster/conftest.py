"""How tests run that have a client of Dask in their process."""

import gc
from collections.abc import Iterator
from pathlib import Path

import pytest

HERE = Path(__file__).parent
# Where a worker is killed while Dask connects to it, Dask leaves the socket to the garbage
# collector. Python tells that to the test that runs when it is collected.
LITTER = pytest.mark.filterwarnings(
    "ignore:unclosed <(ssl.SSLSocket|socket.socket):ResourceWarning"
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Do not blame these tests for what Dask leaves."""
    for item in items:
        if HERE in item.path.parents:
            item.add_marker(LITTER)


@pytest.fixture(autouse=True)
def _collect_litter() -> Iterator[None]:
    """Collect what Dask has left before another test runs, which would be blamed for it."""
    yield
    gc.collect()
