"""mutex and limit: names that a task shares with tasks of all workflows."""

import re
from collections.abc import Mapping
from typing import Any, Final

from perles.config.yamlfile import Node
from perles.domain.named_limits import MAX_NAMES, MAX_SIZE, MUTEX
from perles.templates.keys.key import TASKS, Defaults, Entries, Family, Key
from perles.templates.keys.shapes import one_or_more, whole

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.:/-]{0,99}")
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
    title="One at a time, over all workflows",
    text="""\
A task that needs a name waits, `ready`, until it can have it, and does not take a worker meanwhile.
`perles show`, `perles list` and the dashboard say who holds it, `perles resources` lists every name
with who holds it and who waits, the next one first: by the workflow's priority, then by time, as
everywhere in Perles.

- Names are shared by all workflows of one `PERLES_HOME`. A task gets all of its names at once or
  none, so two tasks never wait for each other.
- A task holds its names from the moment a worker gets it until it is done, failed, skipped or tried
  again; between two attempts others may have them. A workflow that is paused, stopped or ended
  holds none, whatever happened to its engine. One that goes on takes them again before its task
  runs on.
- Where tasks say different numbers for a name, the smallest counts, of those who hold it and of the
  one that wants it. `mutex: db` and `limit: {db: 2}` are the same name: beside the task with the
  mutex nobody holds it.
- A name is kept 60 seconds for a task whose turn it is. When its workflow has no worker for it by
  then, the next task passes it.
""",
    execution=_execution,
    keys=(
        Key(
            name="mutex",
            at=TASKS,
            schema=one_or_more(_NAME_SHAPE, MAX_NAMES),
            doc="A name, or a list of names: of all tasks with it, in whatever workflow, one "
            "runs at a time.",
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
            doc="Names with numbers: at most that number of tasks with the name run at a time, in "
            "all workflows together.",
            example="- {key: train, run: python train.py, limit: {gpu: 2, license: 5}}",
        ),
    ),
)
