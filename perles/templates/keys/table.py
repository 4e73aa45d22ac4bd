"""The one table of keys: what a file, a template and their tasks may say.

To add a key, add it to its family's module, with its reader there; a new family stands in
`FAMILIES`, too. Which keys are known, the JSON Schema and docs/pipelines.md follow from it.
"""

from functools import cache
from typing import Any, Final

from perles.domain.execution import Execution
from perles.domain.specs import TaskSpec
from perles.templates.keys import (
    artifacts,
    checks,
    fan,
    flow,
    hand_on,
    includes,
    limits,
    merge,
    needs,
    node_needs,
    parameters,
    retries,
    review,
    services,
    shell,
    surroundings,
    task_kinds,
    top,
    worktree,
)
from perles.templates.keys.key import At, Defaults, Entries, Family, Key

FAMILIES: Final[tuple[Family, ...]] = (
    top.FAMILY,
    task_kinds.FAMILY,
    flow.FAMILY,
    parameters.FAMILY,
    fan.FAMILY,
    includes.FAMILY,
    shell.FAMILY,
    surroundings.FAMILY,
    retries.FAMILY,
    needs.FAMILY,
    artifacts.FAMILY,
    checks.FAMILY,
    limits.FAMILY,
    node_needs.FAMILY,
    review.FAMILY,
    hand_on.FAMILY,
    services.FAMILY,
    worktree.FAMILY,
    merge.FAMILY,
)
_COMMANDS_ONLY: Final = frozenset(
    key.name for family in FAMILIES for key in family.keys if key.commands_only
)


@cache
def keys(at: At) -> tuple[Key, ...]:
    """The keys that may stand there."""
    return tuple(key for family in FAMILIES for key in family.keys if key.at & at)


@cache
def names(at: At) -> tuple[str, ...]:
    """Their names."""
    return tuple(key.name for key in keys(at))


def defaults(entries: Entries) -> Defaults:
    """What the top of a file says for its tasks. Raises `UsageError` with file, line and key."""
    found: dict[str, Any] = {}
    for family in FAMILIES:
        found |= family.defaults(entries)
    return Defaults(**found)


def task(entries: Entries, above: Defaults) -> TaskSpec:
    """The task that the keys tell of. Raises `UsageError` that names file, line and key."""
    if "run" not in entries:
        for name, node in entries.items():
            if name in _COMMANDS_ONLY:
                raise node.error("is for commands; this task has no run")
    fields: dict[str, Any] = {}
    how: dict[str, Any] = {}
    for family in FAMILIES:
        fields |= family.task(entries, above)
        how |= family.execution(entries, above)
    made = Execution(**how)
    if "run" in entries:
        fields["run"] = shell.script(entries["run"], made.program)
    return TaskSpec(**fields, execution=made)
