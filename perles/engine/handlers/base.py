"""What handlers are given, and what they share."""

from collections.abc import Awaitable, Callable
from typing import Any, NamedTuple

from perles.domain.errors import ToolError
from perles.engine import queries
from perles.engine.context import Context
from perles.store.database import Tx
from perles.store.schema import Agent, Command, Task, Workflow


class ToolCall(NamedTuple):
    """An agent's tool call inside its transaction. `args` passed the tool's schema."""

    tx: Tx
    context: Context
    workflow: Workflow
    agent: Agent
    args: dict[str, Any]

    def task(self) -> Task:
        """The task that the argument `task_id` names. Raises `ToolError`."""
        key = self.args["task_id"]
        found = self.tx.first(Task, queries.TASK_KEYED, workflow_id=self.workflow.id, key=key)
        if found is None:
            raise ToolError(f"cannot find task {key!r}: list_tasks shows the keys")
        return found

    def worker(self) -> Agent:
        """The worker that the argument `worker_id` names. Raises `ToolError`."""
        name = self.args["worker_id"]
        found = self.tx.first(Agent, queries.AGENT_NAMED, workflow_id=self.workflow.id, name=name)
        if found is None or found.role != "worker":
            raise ToolError(f"cannot find worker {name!r}: query_worker_state shows who is there")
        return found


Tool = Callable[[ToolCall], dict[str, Any]]
Action = Callable[[Context, Command, dict[str, Any]], Awaitable[dict[str, Any]]]
