"""Fixtures of the integration tests."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from perles.agents.process import family, signal_all
from perles.store.lock import EngineLock
from tests.integration.cli import Home


@pytest.fixture
def home(tmp_path: Path) -> Iterator[Home]:
    """A home of the test's own; afterwards no process of it is left."""
    made = Home(tmp_path)
    yield made
    if EngineLock(made.database).is_held():
        made.perles("engine", "stop")
    signal_all(family([f"PERLES_HOME={made.root}"]), signal.SIGKILL)
