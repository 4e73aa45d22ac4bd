"""Which tasks of a workflow stay as they ended when it is tried again."""

from collections.abc import Mapping, Sequence

from perles.domain.flow import CONDITION
from perles.store.events import journal
from perles.store.schema.tasks import Task
from perles.tasks.services import is_service


def kept(tasks: Sequence[Task], after: Mapping[int, Sequence[int]]) -> set[int]:
    """The tasks that stay: what is done or tolerated, and whose condition was not met.

    One that comes last runs again, and so does whatever waits for a task that runs again: it
    may come to something else. A service only stands by: it runs again for a task that does, and
    has none run again. `after` has, by task, what it waits for.
    """
    found = {task.id for task in tasks if task.stage == 0 and has_settled(task)}
    by_blocker: dict[int, list[int]] = {}
    for task_id, blockers in after.items():
        for blocker in blockers:
            by_blocker.setdefault(blocker, []).append(task_id)
    services = {task.id for task in tasks if is_service(task)}
    again = [task.id for task in tasks if task.id not in found and task.id not in services]
    while again:
        for task_id in by_blocker.get(again.pop(), ()):
            if task_id in found:
                found.discard(task_id)
                again.append(task_id)
    while over := {
        one for one in found & services if not found.issuperset(by_blocker.get(one, ()))
    }:
        found -= over
    return found


def has_settled(task: Task) -> bool:
    """Whether what became of a task can stay: done, tolerated, or its condition was not met."""
    if task.status == "done" or task.tolerated:
        return True
    skipped = journal.decode(task.outputs).get("skipped", {})
    return task.status == "skipped" and skipped.get("how") == CONDITION
