"""A world of the engine's own code on a real database, with a clock that tests drive."""

from tests.integration.conftest import migrated, world

__all__ = ["migrated", "world"]
