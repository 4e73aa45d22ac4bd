"""How all tests run."""

import os
import signal
from collections.abc import Iterator

import pytest
from hypothesis import HealthCheck, settings

from tests.integration.cli import COVERAGE, Home
from tests.integration.forks import Forks
from tests.rerun_failed import EXIT_STATUS

# The same examples at every run, and no verdict by the clock: the machine may be busy.
settings.register_profile(
    "perles", deadline=None, derandomize=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("perles")

# A shell starts what it puts in the background deaf to Ctrl-C; the programs that we start are not.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)
# The same for the end of a terminal that nohup hides: no program inherits this handler.
if signal.getsignal(signal.SIGHUP) is signal.SIG_IGN:
    signal.signal(signal.SIGHUP, lambda *_: None)


@pytest.fixture(scope="session", autouse=True)
def _forks() -> Iterator[None]:
    """Short commands are forks of one process for each worker of the session."""
    # Coverage is measured of what runs in this process, and of the programs that tests of
    # `measured` start: the others would be slower with it.
    Home.coverage = os.environ.pop(COVERAGE, None)
    Home.forks = Forks()
    yield
    Home.forks.close()
    Home.forks = None


def pytest_sessionfinish(session: pytest.Session, exitstatus: int) -> None:
    """Keep how the run ended, for `tests.rerun_failed`."""
    cache = getattr(session.config, "cache", None)
    if cache is not None and not hasattr(session.config, "workerinput"):
        cache.set(EXIT_STATUS, int(exitstatus))
