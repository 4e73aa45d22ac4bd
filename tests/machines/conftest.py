"""What most tests over three machines begin with; some have a `site` of their own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.machines.site import Site, three_machines


@pytest.fixture
def site(tmp_path: Path) -> Iterator[Site]:
    """Three machines at work."""
    with three_machines() as machines:
        made = Site(tmp_path, machines)
        try:
            made.serve()
            yield made
        finally:
            made.close()
