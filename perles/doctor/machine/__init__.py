"""The checks of the machine, in the order in which they are told."""

from collections.abc import Callable, Iterator
from typing import Final

from perles.doctor.finding import Finding
from perles.doctor.machine import (
    agents,
    cluster,
    configuration,
    consistency,
    database,
    filesystem,
    interpreter,
    ports,
    proxies,
    service,
)
from perles.doctor.machine.surroundings import Surroundings as Surroundings

CHECKS: Final[tuple[Callable[[Surroundings], Iterator[Finding]], ...]] = (
    interpreter.check,
    database.check,
    filesystem.check,
    configuration.check,
    agents.check,
    ports.check,
    proxies.check,
    service.check,
    cluster.check,
    consistency.check,
)


def examine(surroundings: Surroundings) -> list[Finding]:
    """What all checks of the machine found."""
    return [finding for check in CHECKS for finding in check(surroundings)]
