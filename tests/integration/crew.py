"""Rows of workflows and agents as the engine leaves them, for tests that need no engine."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from sqlite3 import Connection
from typing import Any

from perles.domain.clock import ManualClock, SystemClock, to_text
from perles.store.database import Database
from perles.store.events import journal
from perles.store.reads.connection import reading
from perles.store.schema.agents import Agent, Message, Turn
from perles.store.schema.base import Base
from perles.store.schema.engine import Engine
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx


class Crew:
    """Writes rows into a database at a time that stands still."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = SystemClock().now()
        self._database = Database(path, ManualClock(self.now))

    def at(self, **ago: float) -> str:
        """A stored time so long ago."""
        return to_text(self.now - timedelta(**ago))

    def insert(self, model: type[Base], **values: Any) -> int:
        """One row; its id."""
        return self._database.write(lambda tx: tx.insert(model, **values))

    def write(self, work: Callable[[Tx], object]) -> None:
        """Change rows in one transaction."""
        self._database.write(work)

    def change_engine(self, **values: Any) -> None:
        """The row of the engine says something else."""
        self._database.write(lambda tx: tx.update(Engine, 1, **values))

    def workflow(self, id: str = "wf-aaaaaaaa", state: str = "running", **more: Any) -> str:
        """A workflow; its id."""
        values = {"template_id": "pipeline", "name": id, "work_dir": "/tmp", **more}
        self.insert(Workflow, id=id, state=state, **values)
        return id

    def task(self, workflow_id: str, key: str, status: str, **more: Any) -> int:
        """A task; its id."""
        values = {"title": key, **more}
        return self.insert(Task, workflow_id=workflow_id, key=key, status=status, **values)

    def agent(self, workflow_id: str, name: str, status: str = "working", **more: Any) -> int:
        """An agent; its id."""
        values = {"role": name.partition("-")[0], "provider": "claude", **more}
        return self.insert(Agent, workflow_id=workflow_id, name=name, status=status, **values)

    def turn(self, workflow_id: str, agent_id: int, status: str = "running", **more: Any) -> int:
        """A turn; its id."""
        values = {"number": 1, "prompt": "", "stdout_path": "", "stderr_path": "", **more}
        about = {"workflow_id": workflow_id, "agent_id": agent_id, "status": status}
        return self.insert(Turn, **about, **values)

    def message(self, agent_id: int, *, kind: str = "user", **more: Any) -> int:
        """A message; its id."""
        values = {"sender": "you", "body": "x", "status": "queued", **more}
        return self.insert(Message, agent_id=agent_id, sender_kind=kind, **values)

    def event(self, type: str, payload: dict[str, Any], *, at: datetime, **about: Any) -> None:
        """An event of that time."""

        def append(tx: Tx) -> None:
            tx.now = to_text(at)
            journal.append(tx, type, payload, **about)

        self._database.write(append)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """The read side of it."""
        with reading(self.path) as connection:
            assert connection is not None
            yield connection

    def close(self) -> None:
        """Let go of the file."""
        self._database.dispose()
