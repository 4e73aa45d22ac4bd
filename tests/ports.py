"""Ports for tests: each test process has a block of its own, and all lie below those that the
kernel gives to outgoing connections by itself."""

import os
from typing import Final

_FIRST: Final = 10_000
_SIZE: Final = 250


def _block() -> int:
    """The first port of this process: suites that run side by side differ, and their workers."""
    worker = os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw")
    suite = os.getppid() if "PYTEST_XDIST_WORKER" in os.environ else os.getpid()
    return _FIRST + (suite % 10 * 8 + int(worker) % 8) * _SIZE


HOME: Final = _block()
"""A hundred for the engines of a `Home`."""
HEALTH: Final = HOME + 100
"""A hundred for engines inside the test process whose health is tried."""
SCHEDULER: Final = HOME + 200
"""Fifty for those whose scheduling is tried."""
