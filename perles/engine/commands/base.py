"""What handlers are given, and what they share."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from perles.domain.errors import NotFoundError, ToolError
from perles.engine.commands.file_lookups import NOTHING, FileLookups
from perles.engine.context import Context
from perles.engine.services import Services
from perles.store import statements
from perles.store.events import journal
from perles.store.reader import Reader
from perles.store.schema.agents import Agent
from perles.store.schema.engine import Command
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx


class ToolCall(NamedTuple):
    """An agent's tool call inside its transaction. `args` passed the tool's schema.

    `outside` is what was looked up for it before: no transaction opens a file.
    """

    tx: Tx
    context: Context
    workflow: Workflow
    agent: Agent
    args: dict[str, Any]
    outside: FileLookups = NOTHING

    def task(self) -> Task:
        """The task that the argument `task_id` names. Raises `ToolError`."""
        key = self.args["task_id"]
        found = self.tx.first(Task, statements.TASK_KEYED, workflow_id=self.workflow.id, key=key)
        if found is None:
            raise ToolError(f"cannot find task {key!r}: list_tasks shows the keys")
        return found

    def worker(self, argument: str = "worker_id") -> Agent:
        """The worker that this argument names. Raises `ToolError`."""
        name = self.args[argument]
        found = self.tx.first(
            Agent, statements.AGENT_NAMED, workflow_id=self.workflow.id, name=name
        )
        if found is None or found.role != "worker":
            raise ToolError(f"cannot find worker {name!r}: query_worker_state shows who is there")
        return found


def agent_named(reader: Reader, workflow_id: str, name: str) -> Agent:
    """An agent of the workflow; `coordinator` and `observer` are those it has now.

    Raises `NotFoundError`.
    """
    found = None
    if name in ("coordinator", "observer"):
        found = reader.first(Agent, statements.NOW_IN_ROLE, workflow_id=workflow_id, role=name)
    if found is None:
        found = reader.first(Agent, statements.AGENT_NAMED, workflow_id=workflow_id, name=name)
    if found is None:
        agents = reader.all(Agent, statements.AGENTS_OF, workflow_id=workflow_id)
        known = ", ".join(agent.name for agent in agents) or "none yet: the workflow has not begun"
        raise NotFoundError("agent", name, f"the agents of {workflow_id}: {known}")
    return found


def origin_of(command: Command) -> dict[str, Any] | None:
    """Who asked for it, as the client that queued it recorded; None for Perles itself."""
    found: dict[str, Any] | None = journal.decode(command.origin) or None
    return found


async def once(
    context: Context, command: Command, work: Callable[[Tx], dict[str, Any]]
) -> dict[str, Any]:
    """`work` in a transaction that keeps its result: an engine that dies right after has it."""

    def run(tx: Tx) -> dict[str, Any]:
        done: dict[str, Any] = journal.decode(tx.need(Command, command.id).result)
        if not done:
            done = work(tx)
            tx.update(Command, command.id, result=journal.encode(done))
        return done

    return await context.writer.write(run)


Tool = Callable[[ToolCall], dict[str, Any]]
Action = Callable[[Services, Command, Any], Awaitable[dict[str, Any]]]
"""Its third argument is the row's command, decoded: the class of the table for this kind."""
