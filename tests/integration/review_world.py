"""A running workflow with a coordinator and workers, whose tools are called without processes."""

import asyncio
import subprocess
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any, TypeVar, cast

from perles.config.home import Paths
from perles.config.model import Config, Limits
from perles.domain.clock import ManualClock
from perles.domain.states import WORKFLOW
from perles.engine.commands import file_lookups
from perles.engine.commands.base import ToolCall
from perles.engine.commands.checks import Checks
from perles.engine.commands.file_lookups import FileLookups
from perles.engine.commands.registry import TOOLS
from perles.engine.resources import leases
from perles.engine.services import Services
from perles.engine.team.spawn import add_agent
from perles.engine.team.succession import put_fresh
from perles.executor.local.executor import LocalExecutor
from perles.mcp.host import Caller
from perles.mcp.tools.by_role import TOOLS_BY_ROLE
from perles.store import statements
from perles.store.database import Database
from perles.store.events.reads import EventFilter, read_events
from perles.store.reader import Reader
from perles.store.reads.connection import reading
from perles.store.schema.agents import Agent, Message
from perles.store.schema.tasks import Task, TaskComment
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks.comments import COMMENTS_OF
from perles.tasks.graph import unblock
from tests.integration.scheduler_world import in_transaction, unsynced

T = TypeVar("T")
ID = "wf-aaaaaaaa"


class ReviewWorld:
    """Workers `worker-1` to `worker-N`, and tasks that the coordinator makes."""

    def __init__(self, root: Path, *, workers: int = 3, max_review_rounds: int = 5) -> None:
        self.root, self.work = root, root / "work"
        self.work.mkdir()
        self.database = Database(root / "perles.db", ManualClock())
        self.connection = self.database.connect()
        unsynced(self.connection)
        self.context = Services(
            paths=Paths(root),
            config=Config(limits=Limits(max_review_rounds=max_review_rounds)),
            database=self.database,
            writer=cast(Any, SimpleNamespace(write=self._write)),
            reader=Reader(self.database.connect()),
            environ={},
            executor=LocalExecutor(),
            kick=lambda: None,
            reload=cast(Any, None),
        )
        self.write(lambda tx: self._set(tx, workers))

    async def _write(self, work: Any) -> Any:
        return self.write(work)

    def write(self, work: Callable[[Tx], T]) -> T:
        """One transaction."""
        return in_transaction(self.database, self.connection, work)

    def _set(self, tx: Tx, workers: int) -> None:
        values = {"template_id": "t", "name": "n", "state": "pending", "provider": "claude"}
        session = self.root / "session"
        folders = {"work_dir": str(self.work), "session_dir": str(session)}
        tx.insert(Workflow, id=ID, max_workers=workers + 5, **values, **folders)
        workflow = tx.need(Workflow, ID)
        fire(tx, WORKFLOW, ID, "start")
        add_agent(tx, workflow, "coordinator", "coordinator", session)
        for number in range(1, workers + 1):
            worker = add_agent(tx, workflow, f"worker-{number}", "worker", session)
            leases.acquire(tx, "worker", 50, ID, worker.id)

    @property
    def reader(self) -> Reader:
        """To read on."""
        return self.context.reader

    def repository(self) -> None:
        """The work dir is a git repository with one commit."""
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.email", "a@example.org")
        self.git("config", "user.name", "A")
        self.commit("first")

    def git(self, *args: str) -> str:
        """What git prints in the work dir."""
        done = subprocess.run(
            ["git", *args], cwd=self.work, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, subject: str, file: str = "a.txt") -> str:
        """A commit in the work dir; its id."""
        (self.work / file).write_text(subject)
        self.git("add", "-A")
        self.git("commit", "-q", "-m", subject)
        return self.git("rev-parse", "HEAD")

    def agent(self, name: str) -> Agent:
        """The agent of this name."""
        found = self.reader.first(Agent, statements.AGENT_NAMED, workflow_id=ID, name=name)
        assert found is not None
        return found

    def agents(self) -> list[Agent]:
        """All agents."""
        return self.reader.all(Agent, statements.AGENTS_OF, workflow_id=ID)

    def task(self, key: str = "a") -> Task:
        """The task with this key."""
        found = self.reader.first(Task, statements.TASK_KEYED, workflow_id=ID, key=key)
        assert found is not None
        return found

    def tasks(self) -> list[Task]:
        """All tasks."""
        return self.reader.all(Task, statements.TASKS_OF, workflow_id=ID)

    def comments(self, key: str = "a") -> list[tuple[str, str, int]]:
        """Kind, author and round of what was said about a task."""
        found = self.reader.all(TaskComment, COMMENTS_OF, task_id=self.task(key).id)
        return [(one.kind, one.author, one.round) for one in found]

    def state(self, key: str = "a") -> tuple[str, dict[str, str]]:
        """The state of a task, and the phases of the workers that have it in hand."""
        task = self.task(key)
        return task.status, {one.name: one.phase for one in self.agents() if one.task_id == task.id}

    def told(self, name: str) -> str:
        """The last message that waits for an agent; the messages before are read."""
        agent = self.agent(name)
        found = self.reader.all(Message, statements.QUEUED_MESSAGES, agent_id=agent.id)

        def read(tx: Tx) -> None:
            for message in found:
                tx.update(Message, message.id, status="done")

        self.write(read)
        return found[-1].body if found else ""

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The payloads of all events of a type."""
        with reading(self.database.path) as connection:
            found = read_events(connection, wanted=EventFilter(types=(kind,)))
        return [event["payload"] for event in found]

    def call(self, name: str, tool: str, **args: Any) -> dict[str, Any]:
        """An agent calls a tool. Raises `PerlesError`."""
        agent = self.agent(name)
        checked = TOOLS_BY_ROLE[agent.role][tool].check(args)
        given = {field: getattr(checked, field) for field in checked.__struct_fields__}
        caller = Caller(ID, agent.id, agent.name, agent.role)
        seen = asyncio.run(self._seen(caller, tool, given))

        def work(tx: Tx) -> dict[str, Any]:
            workflow = tx.need(Workflow, ID)
            return TOOLS[tool](
                ToolCall(tx, self.context, workflow, tx.need(Agent, agent.id), given, seen)
            )

        return self.write(work)

    async def _seen(self, caller: Caller, tool: str, given: dict[str, Any]) -> FileLookups:
        checked = await Checks(self.context).look(caller, tool, given)
        found = await file_lookups.look(self.context, caller, tool, given)
        return found._replace(check=checked)

    def lead(self, tool: str, **args: Any) -> dict[str, Any]:
        """The coordinator calls a tool."""
        return self.call("coordinator", tool, **args)

    def create(self, key: str = "a", retries: int = 0) -> None:
        """A task that is ready."""
        self.lead("create_task", key=key, title=key, body=f"do {key}", retries=retries)
        self.write(lambda tx: unblock(tx, ID))

    def implemented(self, key: str = "a", worker: str = "worker-1", **args: Any) -> None:
        """A task that its worker has reported on."""
        self.create(key)
        self.lead("assign_task", task_id=key, worker_id=worker)
        self.call(worker, "report_implementation_complete", summary="it is done", exit_code=0)

    def ask(self, key: str = "a", by: str = "worker-2", of: str = "worker-1", **args: Any) -> None:
        """The coordinator has a task reviewed."""
        given = {"task_id": key, "reviewer_id": by, "implementer_id": of, "summary": "look well"}
        self.lead("assign_task_review", **{**given, **args})

    def decide(self, verdict: str, by: str = "worker-2", comments: str = "because") -> None:
        """A reviewer decides."""
        self.call(by, "report_review_verdict", verdict=verdict, comments=comments)

    def feedback(self, key: str = "a", of: str = "worker-1", text: str = "mend it") -> None:
        """The coordinator has a denied task mended."""
        self.lead("assign_review_feedback", task_id=key, implementer_id=of, feedback=text)

    def release(self, key: str = "a", of: str = "worker-1", **args: Any) -> None:
        """The coordinator has an approved task committed."""
        self.lead("approve_commit", task_id=key, implementer_id=of, **args)

    def replace(self, name: str) -> Agent:
        """A fresh worker takes the place of one."""
        agent = self.agent(name)
        return self.write(lambda tx: put_fresh(tx, self.context, agent.id, why="x"))

    def close(self) -> None:
        """Let go of the file."""
        self.connection.close()
        self.database.dispose()
