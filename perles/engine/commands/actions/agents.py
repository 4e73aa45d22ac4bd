"""What is done with one agent: a worker is added; one is stopped, resumed, retired or replaced.

A person asks it, or the coordinator by a tool, where a turn must end first. The coordinator is
told, for it plans with who is there.
"""

from typing import Any

from perles.domain.commands import (
    OnAgent,
    ReplaceAgent,
    ResumeAgent,
    RetireAgent,
    SpawnAgent,
    StopAgent,
)
from perles.domain.errors import UsageError
from perles.domain.states import AGENT
from perles.engine.commands.base import ToolCall, agent_named, once
from perles.engine.commands.tools import spawn_worker
from perles.engine.context import Context
from perles.engine.resources import leases, worker_slots
from perles.engine.resources.scheduler import ResourceScheduler
from perles.engine.services import Services
from perles.engine.supervision import replacement
from perles.engine.team import leaving, succession
from perles.engine.turns.ending import Ending
from perles.executor.contract import REPLACED_GRACE
from perles.fabric import messages
from perles.store import statements
from perles.store.reader import Reader
from perles.store.schema.agents import Agent
from perles.store.schema.engine import Command
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.store.transition import fire

Result = dict[str, Any]


async def spawn(context: Context, command: Command, asked: SpawnAgent) -> Result:
    """One worker more, also beyond what the workflow was made with. Raises `ToolError`."""

    def add(tx: Tx) -> Result:
        workflow = _running(tx, command, asked)
        coordinator = tx.first(Agent, statements.COORDINATOR_OF, workflow_id=workflow.id)
        assert coordinator is not None, "who runs has one"
        live = tx.value(statements.COUNT_LIVE_WORKERS, workflow_id=workflow.id)
        if live >= workflow.max_workers:
            tx.update(Workflow, workflow.id, max_workers=live + 1)
            workflow = tx.need(Workflow, workflow.id)
        call = ToolCall(tx, context, workflow, coordinator, {"provider": asked.provider})
        name = spawn_worker.handle(call)["worker_id"]
        _tell(tx, workflow.id, f"the user added {name}: it can take a task")
        return {"status": "spawned", "agent": name}

    return await once(context, command, add)


async def stop(services: Services, command: Command, asked: StopAgent) -> Result:
    """End an agent's turn; it gets no other one until it is resumed."""
    await _cut_off(services, command, asked, Ending("interrupt", "stop"))

    def halt(tx: Tx) -> Result:
        agent = _agent(tx, command, asked)
        note = leaving.stop(tx, agent, by=_who(command))
        _tell_of(tx, agent, f"{_who(command)} stopped {agent.name}{_why(asked)}{note}")
        return {"status": "stopped", "agent": agent.name}

    return await once(services, command, halt)


async def resume(context: Context, command: Command, asked: ResumeAgent) -> Result:
    """Let an agent that was stopped, or that failed, take turns again.

    Raises `ToolError` where no worker slot is free.
    """

    def go_on(tx: Tx) -> Result:
        agent = _agent(tx, command, asked)
        workflow, policy = tx.need(Workflow, agent.workflow_id), context.config.resource_policy
        if worker_slots.takes_slot(agent) and not leases.holds(tx, agent.id, "worker"):
            live = tx.value(statements.COUNT_LIVE_WORKERS, workflow_id=workflow.id)
            ResourceScheduler(context).need_worker_slot(tx, workflow, live)
            leases.acquire(tx, "worker", policy.max_workers, workflow.id, agent.id)
        fire(tx, AGENT, agent.id, "retry" if agent.status == "failed" else "resume")
        _tell_of(tx, agent, f"the user resumed {agent.name}: it can take a task")
        return {"status": "resumed", "agent": agent.name}

    return await once(context, command, go_on)


async def retire(services: Services, command: Command, asked: RetireAgent) -> Result:
    """Let a worker go for good. Raises `UsageError` for the coordinator."""
    found = _found(services.reader, command, asked)
    if found.role == "coordinator":
        raise UsageError(f"cannot retire {found.name}: a workflow needs it; replace it instead")
    await _cut_off(services, command, asked, Ending("interrupt", "pause"))

    def let_go(tx: Tx) -> Result:
        agent = _agent(tx, command, asked)
        who = _who(command)
        note = leaving.retire(tx, agent, why=asked.reason or f"by {who}", by=who)
        _tell_of(tx, agent, f"{who} retired {agent.name}{_why(asked)}{note}")
        return {"status": "retired", "agent": agent.name}

    return await once(services, command, let_go)


async def replace(services: Services, command: Command, asked: ReplaceAgent) -> Result:
    """Put a fresh agent in one's place, with a handover; its task goes with it."""
    await _cut_off(services, command, asked, Ending("interrupt", "pause"))

    def renew(tx: Tx) -> Result:
        agent = _agent(tx, command, asked)
        who = _who(command)
        why = f"{who} replaced it{_why(asked)}"
        fresh = succession.put_fresh(tx, services, agent.id, why=why, name=asked.successor)
        _tell_of(tx, agent, f"{who} replaced {agent.name} by {fresh.name}{_why(asked)}")
        return {"status": "replaced", "agent": agent.name, "by": fresh.name}

    return await once(services, command, renew)


async def _cut_off(services: Services, command: Command, asked: OnAgent, ending: Ending) -> None:
    """End the turn that the agent is in."""
    agent = _found(services.reader, command, asked)
    grace = 0.0 if asked.force else REPLACED_GRACE
    await replacement.cut_off(services, services.turns, agent.id, ending, grace=grace)


def _found(reader: Reader, command: Command, asked: OnAgent) -> Agent:
    """The agent, in any state of the workflow where the command is repeated: it may be done."""
    if command.status == "queued":
        _running(reader, command, asked)
    return agent_named(reader, command.workflow_id or "", asked.agent)


def _running(reader: Reader, command: Command, asked: OnAgent) -> Workflow:
    workflow = reader.need(Workflow, command.workflow_id or "")
    asked.check_state(workflow.state, workflow.id)
    return workflow


def _agent(reader: Reader, command: Command, asked: OnAgent) -> Agent:
    return agent_named(reader, _running(reader, command, asked).id, asked.agent)


def _tell(tx: Tx, workflow_id: str, body: str) -> None:
    messages.tell_coordinator(tx, workflow_id, sender="perles", kind="system", body=body)


def _tell_of(tx: Tx, agent: Agent, body: str) -> None:
    """Tell the coordinator of a worker: its own handover tells it of itself."""
    if agent.role == "worker":
        _tell(tx, agent.workflow_id, body)


def _who(command: Command) -> str:
    return "the coordinator" if command.source == "mcp" else "the user"


def _why(asked: OnAgent) -> str:
    return f" ({asked.reason})" if asked.reason else ""
