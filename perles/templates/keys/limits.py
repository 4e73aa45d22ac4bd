"""mutex and limit: names that a task shares with tasks of all workflows."""

from collections.abc import Mapping
from typing import Any, Final

from perles.config.yamlfile import Node
from perles.domain.named_limits import MAX_NAMES, MAX_SIZE, MUTEX
from perles.domain.patterns import lazy_pattern
from perles.templates.keys.key import TASKS, Defaults, Entries, Family, Key
from perles.templates.keys.shapes import one_or_more, whole

_NAME: Final = lazy_pattern(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}")
_NAME_SHAPE: Final = {"type": "string", "pattern": f"^{_NAME.pattern}$"}


def limits(entries: Entries) -> dict[str, int]:
    """The names that a task needs, each with how many tasks may hold it. Raises `UsageError`."""
    found: dict[str, int] = {}
    if "limit" in entries:
        for name, node in entries["limit"].mapping().items():
            found[_name(name, node)] = node.integer(1, MAX_SIZE)
    if "mutex" in entries:
        node = entries["mutex"]
        for one in [node] if isinstance(node.value, str) else node.items():
            found[_name(one.text(), one)] = MUTEX
    for key in ("mutex", "limit"):
        if key not in entries:
            continue
        if not found:
            raise entries[key].error("is empty; give a name, or leave it out")
        if len(found) > MAX_NAMES:
            raise entries[key].error(f"{len(found)} names are too many; {MAX_NAMES} at most")
        if "assignee" in entries:
            raise entries[key].error("is not for a task with assignee: human")
    return found


def _name(name: str, node: Node) -> str:
    if not _NAME.fullmatch(name):
        raise node.error(
            f"{name[:60]!r} is no name; use letters, digits and . _ : / -, a letter or digit "
            "first, at most 100"
        )
    return name


def _execution(entries: Entries, _above: Defaults) -> Mapping[str, Any]:
    return {"limits": limits(entries)}


FAMILY: Final = Family(
    title="One at a time, in all workflows",
    text="""\
A task waits in state `ready` until it gets all of its names; meanwhile it takes no worker.
`perles show`, `perles list` and the dashboard show the holder. `perles resources` lists every name
with its holders and its queue, ordered by the workflow's priority, then by time.

- All workflows of one `PERLES_HOME` share the names. A task gets all of its names in one step or
  none, so tasks cannot deadlock.
- A task holds its names from the moment it gets a worker until it is done, failed, skipped or
  waiting for a retry; between two attempts other tasks can take them. A workflow that is paused,
  stopped or ended holds none, even after a crash of the engine. After a resume it takes the names
  again before its tasks continue.
- If tasks give different numbers for a name, the smallest number of the holders and of the waiting
  task applies. `mutex: db` and `limit: {db: 2}` use the same name: while the task with the mutex
  runs, no other task holds it.
- A name is reserved for 60 seconds for the next task in the queue. If the workflow of that task has
  no free worker by then, the following task gets the name.
""",
    execution=_execution,
    keys=(
        Key(
            name="mutex",
            at=TASKS,
            schema=one_or_more(_NAME_SHAPE, MAX_NAMES),
            doc="A name, or a list of names. Only one task with the same name runs at a time, "
            "in all workflows together.",
            example="- {key: migrate, run: ./migrate.sh, mutex: staging-db}",
        ),
        Key(
            name="limit",
            at=TASKS,
            schema={
                "type": "object",
                "propertyNames": {"pattern": f"^{_NAME.pattern}$"},
                "additionalProperties": whole(1, MAX_SIZE),
                "minProperties": 1,
                "maxProperties": MAX_NAMES,
            },
            doc="Names with numbers. At most that number of tasks with the same name run at a "
            "time, in all workflows together.",
            example="- {key: train, run: python train.py, limit: {gpu: 2, license: 5}}",
        ),
    ),
)
