"""What git shows of the task that a tool call is about: looked at before its transaction."""

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from perles.agents.clis.json_lines import REPORT
from perles.domain.provider_choice import BUILTIN
from perles.mcp.host import Caller
from perles.store import statements
from perles.store.reader import Reader
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.tasks import receipts
from perles.workspace.commits import Look, look

ASSIGN: Final = "assign_task"
COMPLETE: Final = "mark_task_complete"
ABOUT_WORK: Final = frozenset({ASSIGN, REPORT, COMPLETE, "mark_task_failed", "approve_commit"})
"""The tools for which git is asked."""


class Asked(NamedTuple):
    """What git is asked of a task, as its row stands: the arguments of `look`."""

    folder: Path
    base: str | None
    named: tuple[str, ...]
    status: bool


def asked(reader: Reader, caller: Caller, kind: str, args: dict[str, Any]) -> Asked | None:
    """What git is to be asked for this call; None where there is nothing to ask."""
    if kind not in ABOUT_WORK:
        return None
    base: str | None = None
    named: Sequence[str] = ()
    status = False
    if kind == ASSIGN:
        worker = _worker(reader, caller, args["worker_id"])
        if worker is None or worker.provider == BUILTIN:
            return None  # it runs a command of the user's: that is no work of an agent
    else:
        task = task_of(reader, caller, args)
        if task is None or task.base_commit is None:
            return None
        base, named = task.base_commit, args.get("commits") or receipts.named(task)
        status = kind == COMPLETE and task.status == "approved"
    folder = Path(reader.need(Workflow, caller.workflow_id).work_dir)
    return Asked(folder, base, tuple(named), status)


async def gathered(wanted: Asked | None) -> Look | None:
    """What git shows; it is asked in a thread, for it may take its time."""
    if wanted is None:
        return None
    folder, base, named, status = wanted
    return await asyncio.to_thread(look, folder, base, named, status=status)


def _worker(reader: Reader, caller: Caller, name: str) -> Agent | None:
    return reader.first(Agent, statements.AGENT_NAMED, workflow_id=caller.workflow_id, name=name)


def task_of(reader: Reader, caller: Caller, args: dict[str, Any]) -> Task | None:
    """The task that the call is about: the one it names, or the one that the caller has."""
    if "task_id" not in args:
        agent = reader.need(Agent, caller.agent_id)
        return None if agent.task_id is None else reader.get(Task, agent.task_id)
    about = {"workflow_id": caller.workflow_id, "key": args["task_id"]}
    return reader.first(Task, statements.TASK_KEYED, **about)
