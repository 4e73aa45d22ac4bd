"""What a command leaves when it ended well: its artifacts, and of which files it was made."""

import asyncio
from pathlib import Path
from typing import Final

from perles.config.home import Paths
from perles.domain.execution import Execution
from perles.store.events import journal
from perles.store.expressions import bindparam, func, or_, select
from perles.store.reader import Reader
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.tasks.reports import OPEN_TURN_OF
from perles.workspace import door, fingerprint
from perles.workspace.artifacts import Collected, collect
from perles.workspace.session import turn_fingerprint

_WANTED: Final = Sql(
    select(Task.key, Task.execution, Workflow.work_dir, Workflow.session_dir)
    .select_from(Agent)
    .join(Task, Task.id == Agent.task_id)
    .join(Workflow, Workflow.id == Agent.workflow_id)
    .where(
        Agent.id == bindparam("agent_id"),
        Task.run.is_not(None),
        or_(
            func.instr(Task.execution, '"artifacts":') > 0,
            func.instr(Task.execution, '"sources":') > 0,
        ),
    )
)
"""The task that an agent has in hand, where anything of it is to be kept."""


async def gather(reader: Reader, paths: Paths, agent_id: int) -> Collected | None:
    """Keep what the command of the agent's task left; None where nothing of it is wanted.

    It reads and writes files, in a thread of its own: not to be called in a transaction.
    """
    row = reader.row(_WANTED, agent_id=agent_id)
    turn = None if row is None else reader.first(Turn, OPEN_TURN_OF, agent_id=agent_id)
    if row is None or turn is None or row["session_dir"] is None:
        return None
    execution = Execution.of(journal.decode(row["execution"]))
    folder = Path(row["work_dir"]) / execution.dir
    session, output = paths.found(row["session_dir"]), paths.found(turn.stdout_path)
    return await asyncio.to_thread(
        _keep, execution, folder, session, row["key"], output, paths.stamps_dir()
    )


def _keep(
    execution: Execution, folder: Path, session: Path, key: str, output: Path, stamps: Path
) -> Collected | None:
    kept = execution.artifacts
    found = collect(folder, kept, session, key) if kept.paths else None
    if execution.needs.sources and (found is None or not found.problem):
        try:
            name, _, print_ = door.read_small(turn_fingerprint(output)).decode().partition(" ")
            if name.isalnum():
                fingerprint.keep(stamps / name, print_, folder)
        except (OSError, UnicodeDecodeError):
            return found  # it runs again the next time
    return found
