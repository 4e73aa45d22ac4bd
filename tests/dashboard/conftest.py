"""The homes of the integration tests serve these too."""

from tests.integration.conftest import crew, fresh_home, home, migrated

__all__ = ["crew", "fresh_home", "home", "migrated"]
