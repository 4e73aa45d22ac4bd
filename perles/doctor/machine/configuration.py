"""Whether the configuration can be read, and what in it has no effect."""

from collections.abc import Iterator

from perles.doctor.finding import NOTE, OK, PROBLEM, Finding
from perles.doctor.machine.surroundings import Surroundings


def check(surroundings: Surroundings) -> Iterator[Finding]:
    """What is wrong with the configuration."""
    if surroundings.config_error is not None:
        advice = "correct it; perles config check tells the next mistake"
        yield Finding("configuration", PROBLEM, surroundings.config_error, advice)
        return
    for key in surroundings.ignored_keys:
        yield Finding("configuration", NOTE, key)
    if not surroundings.ignored_keys:
        yield Finding("configuration", OK, "can be read")
