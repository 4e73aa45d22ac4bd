"""Fixtures of the crash suite."""

from collections.abc import Iterator

import pytest

from tests.crash.world import World, world
from tests.integration.cli import Home
from tests.integration.conftest import fresh_home, home, migrated

__all__ = ["fresh_home", "home", "migrated"]


@pytest.fixture
def storm(home: Home) -> Iterator[World]:
    """A world with a subscriber that must miss nothing."""
    with world(home) as made:
        made.follow()
        yield made
