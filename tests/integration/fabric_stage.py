"""A running workflow whose agents call the fabric tools on real rows; no process is started."""

from pathlib import Path
from typing import Any, Never

from perles.config.home import Paths
from perles.config.model import Config
from perles.domain.clock import ManualClock
from perles.domain.states import AGENT, WORKFLOW
from perles.engine.commands.base import ToolCall
from perles.engine.commands.file_lookups import FileLookups, look
from perles.engine.commands.registry import TOOLS
from perles.engine.services import Services
from perles.engine.team.spawn import add_agent
from perles.executor.local.executor import LocalExecutor
from perles.fabric import channels, inbox
from perles.mcp.host import Caller
from perles.mcp.tools.by_role import TOOLS_BY_ROLE
from perles.store.database import Database
from perles.store.events.reads import EventFilter, read_events
from perles.store.reader import Reader
from perles.store.reads.connection import reading
from perles.store.schema.agents import Agent
from perles.store.schema.workflows import Workflow
from perles.store.transition import fire
from perles.store.writer import Writer

ID = "wf-aaaaaaaa"
OTHER = "wf-bbbbbbbb"


async def _no_reload() -> Never:
    raise AssertionError("nobody asked for that")


class Stage:
    """Two workflows; the first has a coordinator, two workers and an observer."""

    def __init__(self, root: Path) -> None:
        self.clock = ManualClock()
        self.database = Database(root / "perles.db", self.clock)
        self.root = root
        self.work = root / "work"
        self.work.mkdir()
        self.reader = Reader(self.database.connect())
        self.context = Services(
            paths=Paths(root),
            config=Config(),
            database=self.database,
            writer=Writer(self.database),
            reader=self.reader,
            environ={},
            executor=LocalExecutor(),
            kick=lambda: None,
            reload=_no_reload,
        )
        for id in (ID, OTHER):
            self._workflow(id)
        for name in ("coordinator", "worker-1", "worker-2", "observer"):
            self.add(name)
        self.add("coordinator", OTHER)

    def _workflow(self, id: str) -> None:
        values = {"template_id": "t", "name": id, "work_dir": str(self.work)}
        session = str(self.root / "session" / id)

        def insert(tx: Any) -> None:
            tx.insert(Workflow, id=id, state="pending", session_dir=session, **values)
            fire(tx, WORKFLOW, id, "start")

        self.database.write(insert)

    def add(self, name: str, workflow_id: str = ID, provider: str = "claude") -> Agent:
        """One agent more, which is idle."""

        def insert(tx: Any) -> Agent:
            workflow = tx.need(Workflow, workflow_id)
            role, session = name.partition("-")[0], Path(workflow.session_dir)
            made = add_agent(tx, workflow, name, role, session, provider=provider)
            channels.ensure(tx, workflow_id)
            return made

        return self.database.write(insert)

    def agent(self, name: str, workflow_id: str = ID) -> Agent:
        """An agent as it is now."""
        row = self.reader.execute(
            "SELECT id FROM agents WHERE workflow_id = ? AND name = ?", (workflow_id, name)
        )
        return self.reader.need(Agent, row[0]["id"])

    async def call(self, name: str, tool: str, /, workflow_id: str = ID, **given: Any) -> Any:
        """What an agent gets for a call. Raises `PerlesError`."""
        agent = self.agent(name, workflow_id)
        caller = Caller(workflow_id, agent.id, agent.name, agent.role)
        found = TOOLS_BY_ROLE[agent.role][tool]
        checked = found.check(given)
        if found.read is not None:
            answer = found.read(self.reader, caller, checked)
            if found.shows is not None:
                ids = found.shows(answer)
                self.database.write(lambda tx: inbox.seen(tx, agent.id, ids))
            return answer
        args = {field: getattr(checked, field) for field in checked.__struct_fields__}
        outside = await look(self.context, caller, tool, args)
        return self.database.write(lambda tx: self._carried_out(tx, agent, tool, args, outside))

    def _carried_out(
        self, tx: Any, agent: Agent, tool: str, args: dict[str, Any], outside: FileLookups
    ) -> Any:
        workflow = tx.need(Workflow, agent.workflow_id)
        return TOOLS[tool](ToolCall(tx, self.context, workflow, agent, args, outside))

    async def unread(self, name: str) -> list[str]:
        """The texts in an agent's inbox; it is not told of them any more."""
        found = await self.call(name, "fabric_inbox")
        return [one["content"] for entry in found["channels"] for one in entry["messages"]]

    def set_status(self, name: str, trigger: Any) -> None:
        """An agent takes an edge of its machine."""
        id = self.agent(name).id
        self.database.write(lambda tx: fire(tx, AGENT, id, trigger))

    def events(self, kind: str) -> list[dict[str, Any]]:
        """The events of a type."""
        with reading(self.database.path) as connection:
            return read_events(connection, wanted=EventFilter(types=(kind,)))

    def close(self) -> None:
        """Let go of the file."""
        self.database.dispose()
