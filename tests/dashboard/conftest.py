"""The homes of the integration tests serve these too."""

from tests.integration.conftest import fresh_home, home, migrated

__all__ = ["fresh_home", "home", "migrated"]
