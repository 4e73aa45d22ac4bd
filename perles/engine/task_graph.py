"""What the end of one task means for those that wait for it."""

from perles.domain.states import OPEN_TASK_STATES, TASK
from perles.engine import people, queries
from perles.store.database import Tx
from perles.store.schema import Task
from perles.store.transition import fire


def unblock(tx: Tx, workflow_id: str) -> list[str]:
    """Make every pending task ready whose dependencies are done; their keys."""
    keys = []
    for row in tx.rows(queries.NEWLY_READY, workflow_id=workflow_id):
        fire(tx, TASK, row["id"], "unblock")
        keys.append(tx.need(Task, row["id"]).key)
    people.ask_people(tx, workflow_id)
    return keys


def skip_dependents(tx: Tx, failed: Task) -> list[str]:
    """Skip every open task that waits for one that failed, directly or through others."""
    skipped: list[str] = []
    waiting = [(failed.id, failed.key)]
    while waiting:
        task_id, blocker = waiting.pop()
        for row in tx.rows(queries.DEPENDENTS, task_id=task_id):
            if row["status"] not in OPEN_TASK_STATES or row["key"] in skipped:
                continue
            changes = {"failure": f"{blocker} did not succeed", "ended_at": tx.now}
            payload = {"key": row["key"], "because": blocker}
            fire(tx, TASK, row["id"], "skip", changes=changes, payload=payload)
            skipped.append(row["key"])
            waiting.append((row["id"], row["key"]))
    return skipped
