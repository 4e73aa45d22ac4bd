"""How a task is run, as its row keeps it."""

from perles.domain.execution import Execution
from perles.store.events import journal
from perles.store.schema.tasks import Task


def execution_of(task: Task) -> Execution:
    """How it is run; {} is by sh without flags."""
    return Execution.of(journal.decode(task.execution))
