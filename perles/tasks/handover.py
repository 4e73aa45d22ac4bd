"""The words for a fresh session of an agent about the one before it."""

from collections.abc import Sequence
from typing import Final

from perles.domain.quoting import in_line, quoted
from perles.store import statements
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.tasks.successor_answers import answers

MAX_TASKS: Final = 200
MAX_SUMMARY: Final = 400
_WHY: Final = {
    "context_exhausted": "its context was full",
    "unknown_session": "its CLI does not know it any more",
}


def handover(tx: Tx, agent: Agent, because: str, *, last_words: Sequence[str] = ()) -> str:
    """The state of affairs, for one that goes on as or instead of `agent` and remembers nothing.

    What agents and people said stands in quotes, or on the line of its task.

    `because` is an error class, or a reason in words. `last_words` is what `agent` said last.
    """
    lines = [
        f"You take over from {agent.name}, whose session ended: "
        f"{_WHY.get(because) or in_line(because)}. "
        "You remember nothing of it; this is what you need to know."
    ]
    if agent.role == "coordinator":
        lines += _of_workflow(tx, agent)
    else:
        lines += _of_task(tx, agent)
    if last_words:
        lines += [f"The last that {agent.name} said and did:", quoted("\n".join(last_words))]
    return "\n".join(lines)


def _of_workflow(tx: Tx, agent: Agent) -> list[str]:
    workflow = tx.need(Workflow, agent.workflow_id)
    lines = ["The goal:", quoted(workflow.goal)] if workflow.goal else []
    told = journal.decode(workflow.definition).get("instructions")
    lines += ["How to lead it:", quoted(told)] if told else []
    tasks = tx.all(Task, statements.TASKS_OF, workflow_id=workflow.id)
    if tasks:
        lines.append("Tasks:")
    for task in tasks[:MAX_TASKS]:
        said = journal.decode(task.outputs).get("summary") or task.failure or ""
        who = f", with {task.assignee}" if task.assignee else ""
        title, said = in_line(task.title), in_line(said[:MAX_SUMMARY])
        lines.append(f"- {task.key} ({title}): {task.status}{who}. {said}")
    if len(tasks) > MAX_TASKS:
        lines.append(f"- and {len(tasks) - MAX_TASKS} more: list_tasks shows them")
    for other in tx.all(Agent, statements.AGENTS_OF, workflow_id=workflow.id):
        if other.role == "worker" and other.retired_at is None:
            lines.append(f"{other.name} is {other.status}, its phase {other.phase}")
    lines += answers(tx, workflow.id, None)
    lines.append("Call list_tasks and query_worker_state, then go on from there.")
    return lines


def _of_task(tx: Tx, agent: Agent) -> list[str]:
    if agent.task_id is None:
        return ["You have no task in hand."]
    task = tx.need(Task, agent.task_id)
    if agent.phase == "reviewing":
        return [f"You review the task {task.key} ({in_line(task.title)}): a message tells how."]
    return [
        f"You have the task {task.key} ({in_line(task.title)}) in hand:",
        quoted(task.body or task.title),
        *answers(tx, task.workflow_id, task.id),
        "Look at what the earlier session left in the folder before you go on; keep what is good.",
    ]
