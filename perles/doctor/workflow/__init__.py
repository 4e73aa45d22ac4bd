"""The checks of one workflow, in the order in which they are told."""

from collections.abc import Callable, Iterator
from typing import Final

from perles.doctor.finding import OK, Finding
from perles.doctor.workflow import alarms, failed, pending, running
from perles.doctor.workflow.case import Case as Case

CHECKS: Final[tuple[Callable[[Case], Iterator[Finding]], ...]] = (
    pending.check,
    running.check,
    failed.check,
    alarms.check,
)


def examine(case: Case) -> list[Finding]:
    """What all checks of a workflow found."""
    found = [finding for check in CHECKS for finding in check(case)]
    return found or [Finding("state", OK, f"it is {case.state}")]
