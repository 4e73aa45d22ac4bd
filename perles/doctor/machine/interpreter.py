"""Which Python this is."""

import platform
import sys
from collections.abc import Iterator

from perles.doctor.finding import OK, Finding
from perles.doctor.machine.surroundings import Surroundings
from perles.version import __version__


def check(_: Surroundings) -> Iterator[Finding]:
    """The versions of Perles and Python; pip refuses a Python that is too old."""
    where = f"{platform.python_implementation()} {platform.python_version()} ({sys.executable})"
    yield Finding("python", OK, f"perles {__version__} on {where}")
