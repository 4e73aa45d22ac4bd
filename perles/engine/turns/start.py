"""How a turn begins: the transactions up to its process, and what the provider is told."""

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from perles.agents import bounds
from perles.agents.clis.session_log import encoded
from perles.agents.prompts import system_prompt
from perles.agents.provider import Letter, Provider, TurnContext, hidden_tools, runs_commands
from perles.domain.states import AGENT, TURN
from perles.engine import crash_points
from perles.engine.context import Context
from perles.engine.remote_turns import Elsewhere
from perles.engine.resources import budgets, provider_holds
from perles.engine.resources.scheduler import ResourceScheduler
from perles.engine.team import nudges
from perles.engine.turns import queue
from perles.engine.turns.move_to_node import move
from perles.executor.contract import Identity
from perles.mcp import turn_tokens
from perles.mcp.tools.by_role import TOOLS_BY_ROLE
from perles.store import statements
from perles.store.events import journal
from perles.store.expressions import bindparam, delete, update
from perles.store.schema.agents import Agent, Message, ProviderHold, Turn
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import services
from perles.workspace.session import agent_folder, new_token, read_token, token_hash

MARK_DELIVERED: Final = Sql(
    update(Message)
    .where(Message.agent_id == bindparam("agent_id_"), Message.status == "queued")
    .values(status="delivered", turn_id=bindparam("turn_id_"), updated_at=bindparam("now_"))
)
DROP_PAST_HOLD: Final = Sql(
    delete(ProviderHold).where(
        ProviderHold.provider == bindparam("provider_"), ProviderHold.until <= bindparam("now_")
    )
)


class Begun(NamedTuple):
    """A turn that is committed and has no process yet, with its agent and workflow as of then."""

    turn: Turn
    agent: Agent
    workflow: Workflow


def begin(
    tx: Tx,
    context: Context,
    agent_id: int,
    base: Mapping[str, Any] | None = None,
    token: str | None = None,
) -> Begun | None:
    """Commit a turn for the agent's queued messages; None when there is nothing to do any more.

    `base` is what its session had used before, as far as that is known, `token` what
    `kept_token` found.
    """
    waiting = _waiting(tx, agent_id)
    if waiting is None:
        return None
    agent, workflow, messages = waiting
    assert workflow.session_dir is not None
    if provider_holds.forbids(tx, agent):
        return None
    placing, where = context.placing, None
    if placing is not None:
        where = placing.choose(tx, workflow, agent)
        if where.waits:
            return None
    reserved = ResourceScheduler(context).take_turn(tx, workflow, agent)
    if reserved is None:
        return None
    if placing is not None and where is not None:
        placing.took(tx, workflow, agent, where.node)
        agent = tx.need(Agent, agent_id)  # who moved has a letter more
        messages = tx.all(Message, statements.QUEUED_MESSAGES, agent_id=agent_id)
    elif agent.node is not None or agent.unplaced is not None:
        agent = _back(tx, agent)
        messages = tx.all(Message, statements.QUEUED_MESSAGES, agent_id=agent_id)
    services.begin_turn(tx, agent)
    if token is not None and token != agent.token:
        tx.update(Agent, agent.id, token=token)
    if nudges.tell(tx, context, agent):
        messages = tx.all(Message, statements.QUEUED_MESSAGES, agent_id=agent_id)
    letters = [Letter(item.sender, item.sender_kind, item.body) for item in messages]
    changes = {
        "prompt": context.provider_of(agent, workflow).prompt(letters),
        "tokens_reserved": reserved.tokens,
        "cost_reserved": reserved.cost,
        **_kind_of_turn(tx, context, workflow, agent, base),
    }
    turn = _deliver(tx, workflow, agent, len(messages), changes)
    crash_points.at("begin.before-commit")
    return Begun(turn, tx.need(Agent, agent_id), workflow)


def _kind_of_turn(
    tx: Tx, context: Context, workflow: Workflow, agent: Agent, base: Mapping[str, Any] | None
) -> dict[str, Any]:
    """The columns that say whether the turn is a command, and from where its session is read."""
    columns: dict[str, Any] = {}
    if _runs_command(tx, context, workflow, agent):
        columns["runs_command"] = 1
    if base is not None and base["session"] == agent.provider_session_id:
        columns["session_base"] = encoded(base)
    return columns


def _back(tx: Tx, agent: Agent) -> Agent:
    """An agent that was on a node, or waited for one, goes on here: there is no cluster now."""
    if agent.node is not None:
        move(tx, agent, None)
    tx.update(Agent, agent.id, unplaced=None)
    return tx.need(Agent, agent.id)


def _runs_command(tx: Tx, context: Context, workflow: Workflow, agent: Agent) -> bool:
    """Whether the agent's turn is the command of its task."""
    if agent.role != "worker" or agent.task_id is None:
        return False
    if tx.need(Task, agent.task_id).run is None:
        return False
    return runs_commands(context.provider_of(agent, workflow))


def refused(tx: Tx, agent_id: int) -> Turn | None:
    """Commit a turn that cannot be prepared, so that it can be ended; None where there is none."""
    waiting = _waiting(tx, agent_id)
    if waiting is None:
        return None
    agent, workflow, messages = waiting
    return _deliver(tx, workflow, agent, len(messages), {})


def _waiting(tx: Tx, agent_id: int) -> tuple[Agent, Workflow, list[Message]] | None:
    """An agent that may have a turn, with its messages; None where it has none to begin."""
    agent = tx.need(Agent, agent_id)
    workflow = tx.need(Workflow, agent.workflow_id)
    if agent.status != "ready" or workflow.state != "running":
        return None
    messages = tx.all(Message, statements.QUEUED_MESSAGES, agent_id=agent_id)
    return (agent, workflow, messages) if messages else None


def _deliver(
    tx: Tx, workflow: Workflow, agent: Agent, messages: int, changes: Mapping[str, Any]
) -> Turn:
    """The agent's turn, started, with all its messages in it."""
    turn_id, agent_id = queue.next_turn(tx, workflow, agent), agent.id
    number = tx.need(Turn, turn_id).number
    payload = {"number": number, "messages": messages}
    fire(tx, TURN, turn_id, "start", changes=changes, payload=payload)
    if agent.blocked is not None:
        tx.update(Agent, agent_id, blocked=None)  # it was told something: it owes a report again
    if agent.held_until is not None:
        tx.update(Agent, agent_id, held_until=None)
        tx.run(DROP_PAST_HOLD, provider_=agent.provider, now_=tx.now)
    tx.run(MARK_DELIVERED, agent_id_=agent_id, turn_id_=turn_id, now_=tx.now)
    fire(tx, AGENT, agent_id, "deliver", payload={"turn": number})
    return tx.need(Turn, turn_id)


def running(tx: Tx, turn_id: int, identity: Identity) -> None:
    """Commit that the turn's process was started, and which it is."""
    changes = {
        "pid": identity.pid,
        "start_ticks": identity.start_ticks,
        "boot_id": identity.boot_id,
        "started_at": tx.now,
    }
    fire(tx, TURN, turn_id, "run", changes=changes, payload={"pid": identity.pid})
    _tell_ready(tx, turn_id)
    crash_points.at("running.before-commit")


def ran(tx: Tx, turn_id: int) -> None:
    """Commit that the turn's process was started and has ended: it left its exit status."""
    if tx.need(Turn, turn_id).status == "starting":
        fire(tx, TURN, turn_id, "run", changes={"started_at": tx.now}, payload={"pid": None})
        _tell_ready(tx, turn_id)


def _tell_ready(tx: Tx, turn_id: int) -> None:
    """A coordinator whose first process runs is ready, and a worker whose process is a command;
    other workers say so themselves."""
    turn = tx.need(Turn, turn_id)
    if turn.number != 1:
        return
    agent, about = tx.need(Agent, turn.agent_id), {"agent_id": turn.agent_id}
    if agent.role == "coordinator":
        about |= {"turn_id": turn_id}
        journal.append(tx, "coordinator.ready", {}, workflow_id=turn.workflow_id, **about)
    elif turn.runs_command:
        journal.append(tx, "worker.ready", {}, workflow_id=turn.workflow_id, **about)


def kept_token(context: Context, agent: Agent) -> str | None:
    """The hash of the token that the agent can be told: of a new one where its file is gone.

    None where the workflow has not begun. Raises `OSError`.
    """
    session = context.reader.need(Workflow, agent.workflow_id).session_dir
    if session is None:
        return None
    folder = context.paths.found(session)
    try:
        if token_hash(read_token(folder, agent.name)) == agent.token:
            return agent.token
    except OSError:
        pass  # somebody deleted its folder, or put something else in the place of its token
    return new_token(folder, agent.name)


def turn_context(
    context: Context,
    provider: Provider,
    turn: Turn,
    agent: Agent,
    workflow: Workflow,
    where: Elsewhere | None = None,
) -> TurnContext:
    """What the provider may use to launch the turn; `where` it runs, None for this machine."""
    session = context.paths.found(workflow.session_dir or "")
    here = Path(workflow.work_dir) if where is None else where.work_dir
    task = None if agent.task_id is None else context.reader.get(Task, agent.task_id)
    role = ""
    if not turn.runs_command:
        role = system_prompt(
            agent.role,
            agent=agent.name,
            work_dir=str(here),
            has_mcp=provider.has_mcp,
            agent_type=agent.agent_type,
        )
    calls = not turn.runs_command or turn.number == 1
    folder, token = agent_folder(session, agent.name), ""
    if calls:
        token = read_token(session, agent.name)
    if where is not None:
        folder, token = where.folder, token and turn_tokens.of_turn(token, turn.id)
    return TurnContext(
        workflow_id=workflow.id,
        agent=agent.name,
        role=agent.role,
        number=turn.number,
        model=agent.model,
        work_dir=here,
        folder=folder,
        prompt=turn.prompt,
        mcp_url=where.mcp_url if where else f"http://127.0.0.1:{workflow.mcp_port}/mcp",
        token=token,
        session_id=bounds.session_id(agent.provider_session_id),
        system_prompt=_as_offered(role, agent.role, provider),
        environ=context.environ_of(workflow),
        usd_left=budgets.usd_left(context.reader, context.policy(), workflow),
        task=None if task is None else task.key,
        stamps=context.paths.stamps_dir(),
        variables={} if task is None else journal.decode(task.env),
    )


def _as_offered(prompt: str, role: str, provider: Provider) -> str:
    """The prompt with our tools under the names by which this CLI shows them."""
    for name in hidden_tools(provider):
        tool = TOOLS_BY_ROLE[role].get(name)
        if tool is not None and tool.alias:
            prompt = prompt.replace(name, tool.alias)
    return prompt
