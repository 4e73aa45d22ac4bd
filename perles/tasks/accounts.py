"""What agents told of their work in their own words: kept as events, the latest of each counts."""

from typing import Any, Final

from perles.domain.quoting import in_line, quoted
from perles.store.events import journal
from perles.store.expressions import bindparam, select
from perles.store.reader import Reader
from perles.store.schema.agents import Agent
from perles.store.schema.journal import Event
from perles.store.schema.tasks import Task
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx

WHOLE: Final = "workflow"
"""What stands in the place of a task's key for the summary of all."""
MAX_ASKED: Final = 50
MAX_WORDS: Final = 2_000
"""How many accounts the one that merges them is told, and how long each may be."""

_TOLD: Final = Sql(
    select(Event.payload)
    .where(Event.workflow_id == WORKFLOW_ID, Event.type == bindparam("type"))
    .order_by(Event.seq)
)


def tell(tx: Tx, agent: Agent, task: Task | None, account: dict[str, Any]) -> None:
    """Keep what an agent told of its task; of the whole workflow without one."""
    key = WHOLE if task is None else task.key
    payload = {**account, "worker": agent.name, "task_id": key}
    about: dict[str, Any] = {"workflow_id": agent.workflow_id, "agent_id": agent.id}
    task_id = None if task is None else task.id
    journal.append(tx, "worker.accounted", payload, task_id=task_id, **about)


def all_of(reader: Reader, workflow_id: str) -> list[dict[str, Any]]:
    """The latest account of each worker of each task, in the order in which they were told."""
    latest: dict[tuple[str, str], dict[str, Any]] = {}
    for row in reader.rows(_TOLD, workflow_id=workflow_id, type="worker.accounted"):
        payload: dict[str, Any] = journal.decode(row["payload"])
        key = (payload["worker"], payload["task_id"])
        latest.pop(key, None)
        latest[key] = payload
    return list(latest.values())


def to_merge(reader: Reader, workflow_id: str) -> str:
    """What a worker is told that merges the accounts of all."""
    lines = [
        "Write one summary of this workflow for the user, out of what its workers told. Look at "
        "the files and commits where they contradict each other. Then call "
        f'post_accountability_summary with task_id "{WHOLE}": what was reached, how it was '
        "verified, what was found, what is left and needs attention. Leave out what nobody needs.",
    ]
    told = [one for one in all_of(reader, workflow_id) if one["task_id"] != WHOLE]
    for one in told[-MAX_ASKED:]:
        lines += [f"{one['worker']} of task {in_line(one['task_id'])}:", quoted(_words(one))]
    if not told:
        lines.append("No worker told anything yet: go by the tasks' reports and the files.")
    return "\n".join(lines)


def _words(one: dict[str, Any]) -> str:
    found = one["summary"][:MAX_WORDS]
    for name in ("commits", "verification_points", "issues_discovered", "issues_closed"):
        if one.get(name):
            found += f"\n{name}: " + "; ".join(one[name])[:MAX_WORDS]
    return str(found)
