"""The description of a task for its worker."""

from collections.abc import Collection, Iterator

from perles.agents.provider import TaskBrief
from perles.store import statements
from perles.store.events import journal
from perles.store.schema.tasks import Task
from perles.store.transaction import Tx
from perles.tasks.attempts import of_earlier
from perles.tasks.stored_execution import execution_of
from perles.templates.outputs import (
    fill,
    fill_command,
    named,
    names_variables,
    needs_outputs,
    references,
)


def task_brief(tx: Tx, task: Task, *, attempt: int, note: str = "", answers: str = "") -> TaskBrief:
    """The brief of one attempt; `note` is guidance beyond the task's own text,
    `answers` what the person said of it to who had it before.

    What it says of earlier tasks' outputs is filled in as they are now.
    """
    body, run = task.body, task.run
    env: dict[str, str] = {}
    own = journal.decode(task.env)
    execution = execution_of(task)
    if "{{" in body or needs_outputs(run or ""):
        said = {name: text for one in _told_of(tx, task, own) for name, text in _said(one)}
        body = fill(body, said)
        if run:
            run, env = fill_command(run, said, execution.language, own)
    return TaskBrief(
        key=task.key,
        title=task.title,
        body=body,
        run=run,
        env=env,
        timeout=task.timeout,
        attempt=attempt,
        note=note,
        earlier="\n".join(filter(None, (of_earlier(task), answers))),
        variables=sorted(own),
        thread=tx.need(Task, task.id).thread_post_id,
        execution=execution,
    )


def _told_of(tx: Tx, task: Task, own: Collection[str]) -> list[Task]:
    """The tasks whose outputs are wanted; the whole plan is read only where names do not tell."""
    if names_variables(task.run or "", own):
        return tx.all(Task, statements.TASKS_OF, workflow_id=task.workflow_id)
    keys = dict.fromkeys(key for key, _ in references(f"{task.body}\n{task.run or ''}"))
    about = {"workflow_id": task.workflow_id}
    found = [tx.first(Task, statements.TASK_KEYED, **about, key=key) for key in keys]
    return [one for one in found if one is not None]


def _said(task: Task) -> Iterator[tuple[str, str]]:
    """What later tasks can be given of this one, by name."""
    outputs = journal.decode(task.outputs)
    yield task.key, str(outputs.get("output", ""))
    if task.exit_code is not None:
        yield named(task.key, "exit_code"), str(task.exit_code)
    for name, value in outputs.get("values", {}).items():
        yield named(task.key, f"outputs.{name}"), value
