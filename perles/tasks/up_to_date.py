"""A command that did not have to run: its task is skipped, and as good as done."""

from perles.domain import flow
from perles.domain.flow import Decision
from perles.domain.needs import UP_TO_DATE
from perles.store.events import journal
from perles.store.schema.tasks import Task
from perles.store.transaction import Tx
from perles.tasks import graph
from perles.tasks.stored_execution import execution_of


def skipped(tx: Tx, task: Task) -> bool:
    """Whether the task was reported to be up to date; then it is skipped by this."""
    said = str(journal.decode(task.outputs).get("summary", ""))
    needs = execution_of(task).needs
    if not (task.run and needs.sources and said.startswith(UP_TO_DATE)):
        return False
    decision = Decision(flow.SKIP, said, task.key, flow.UP_TO_DATE)
    graph.skip(tx, task.id, decision, tolerated=True)
    return True
