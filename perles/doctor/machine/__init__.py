"""The checks of the machine, in the order in which they are told."""

from collections.abc import Callable, Iterator
from typing import Final

from perles.doctor.finding import PROBLEM, Finding
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
from perles.domain.errors import DatabaseError

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
    """What the checks of the machine found; the ones that need a database end with its failure."""
    found: list[Finding] = []
    for check in CHECKS:
        try:
            found.extend(check(surroundings))
        except DatabaseError as error:
            if all(finding.text != str(error) for finding in found):
                found.append(Finding("database", PROBLEM, str(error)))
    return found
