"""A process that has many files open, as an engine of many agents has."""

import os
import resource
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import pytest

MANY: Final = 1100
"""More than `select` can wait for."""


@contextmanager
def many_open() -> Iterator[None]:
    """All that is opened inside gets a number of which `select` knows nothing."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    enough = 2 * MANY
    if hard != resource.RLIM_INFINITY and hard < enough:
        pytest.skip(f"no more than {hard} open files here")
    if soft != resource.RLIM_INFINITY and soft < enough:
        resource.setrlimit(resource.RLIMIT_NOFILE, (enough, hard))
    opened: list[int] = []
    try:
        while len(opened) < MANY:
            opened.append(os.open(os.devnull, os.O_RDONLY))
        yield
    finally:
        for fd in opened:
            os.close(fd)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
