"""What the ends of tasks mean for one that waits for them: run, skip or fail. Pure rules.

A task runs once all that it waits for succeeded. `when` says otherwise: `always`, `on_failure`,
or a condition. A condition that asks for the status or exit code of a task decides itself what
that task's end means; everything else that the task waits for must have succeeded.
"""

from collections.abc import Callable, Sequence
from typing import Any, Final

from perles.domain.condition_tree import ConditionError, Value
from perles.domain.conditions import Condition, parse
from perles.domain.records import dataclass

ALWAYS: Final = "always"
ON_FAILURE: Final = "on_failure"
FAILURE: Final = "failure"
"""Why a task was skipped: something before it failed."""
CONDITION: Final = "condition"
"""Why a task was skipped: its own condition, or that of one before it, was not met."""
UP_TO_DATE: Final = "up_to_date"
STOPPED: Final = "stopped"
RUN: Final = "run"
SKIP: Final = "skip"
FAIL: Final = "fail"


@dataclass(frozen=True, slots=True)
class Ended:
    """A task that is over. `root` is the task that this goes back to, and `how` its kind."""

    key: str
    passed: bool
    root: str
    how: str

    @classmethod
    def of(
        cls, key: str, status: str, *, tolerated: bool, skipped: dict[str, Any] | None
    ) -> "Ended":
        """By its row; `skipped` is what was kept of why it was."""
        if status == "done" or tolerated:
            return cls(key, True, key, "")
        if status == "failed":
            return cls(key, False, key, FAILURE)
        why = skipped or {}
        return cls(key, False, why.get("because", key), why.get("how", STOPPED))


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a task: `run`, `skip` or `fail`, and why; `root` and `how` as for `Ended`."""

    what: str
    reason: str = ""
    root: str = ""
    how: str = ""


_RUN: Final = Decision(RUN)


def decide(
    key: str,
    when: str | None,
    before: Sequence[Ended],
    value_of: Callable[[str], Value],
) -> Decision:
    """What becomes of the task `key`, all that it waits for being over.

    `value_of` looks up what a condition names.
    """
    if when == ALWAYS:
        return _RUN
    bad = [one for one in before if not one.passed]
    if when == ON_FAILURE:
        if any(one.how == FAILURE for one in bad):
            return _RUN
        return Decision(SKIP, "nothing before it failed", key, CONDITION)
    if when is None:
        return because(bad[0]) if bad else _RUN
    return _by_condition(key, when, bad, value_of)


def because(blocker: Ended) -> Decision:
    """Skipped for want of something that it waits for."""
    why = "did not succeed" if blocker.how == FAILURE else "was skipped"
    return Decision(SKIP, f"{blocker.key} {why}", blocker.root, blocker.how)


def _by_condition(
    key: str, when: str, bad: Sequence[Ended], value_of: Callable[[str], Value]
) -> Decision:
    try:
        condition = parse(when)
        for one in bad:
            if not condition.decides_over & {one.key, one.root}:
                return because(one)
        if condition.holds(value_of):
            return _RUN
    except ConditionError as error:
        return Decision(FAIL, f"cannot decide when: {error}")
    return Decision(SKIP, f"its condition is not met: {when}", key, CONDITION)


def condition_of(when: str | None) -> Condition | None:
    """The expression of a `when`, None where it is none. Raises `ConditionError`."""
    return None if when in (None, ALWAYS, ON_FAILURE) else parse(when or "")
