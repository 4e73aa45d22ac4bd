"""Appending a command: the request of a client, checked against what the database says now."""

from perles.access.origin import Origin
from perles.domain import commands
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.store.schema.engine import Command
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.tasks import answers, ask_user
from perles.workflows import naming
from perles.workflows.settings import check_change


def append_command(tx: Tx, workflow_id: str, command: commands.Command, origin: Origin) -> int:
    """Queue a command; its id. Raises `WrongStateError` when it cannot succeed now.

    A start or resume is remembered on the workflow too: it waits in line from this moment.
    """
    workflow = tx.need(Workflow, workflow_id)
    in_line = workflow.start_requested_at is not None
    command.check_state(workflow.state, workflow_id, in_line=in_line)
    if isinstance(command, commands.Answer):
        answers.waiting_task(tx, workflow_id, command.task, command.kind)
    elif isinstance(command, commands.AnswerQuestion):
        ask_user.said(ask_user.open_question(tx, workflow_id, command.question), command.text)
    elif isinstance(command, commands.Set):
        check_change(workflow, command)
    elif isinstance(command, (commands.Rename, commands.Label)):
        naming.check(tx, workflow_id, command)
    elif isinstance(command, commands.Admission) and not command.no_wait and not in_line:
        tx.update(Workflow, workflow_id, start_requested_at=tx.now)
    return tx.insert(
        Command,
        workflow_id=workflow_id,
        kind=command.kind,
        args=journal.encode(command),
        source=origin.source,
        origin=journal.encode(origin.payload()),
        status="queued",
    )


def append_for_engine(tx: Tx, command: commands.ToEngine, origin: Origin | None = None) -> int:
    """Queue a command for the engine itself; its id."""
    by = None if origin is None else journal.encode(origin.payload())
    return tx.insert(Command, kind=command.kind, source="user", origin=by, status="queued")


def append_by_agent(tx: Tx, agent: Agent, command: commands.Command) -> int:
    """Queue what an agent asked for by a tool and no transaction can do; its id."""
    return tx.insert(
        Command,
        workflow_id=agent.workflow_id,
        agent_id=agent.id,
        kind=command.kind,
        args=journal.encode(command),
        source="mcp",
    )


def append_by_engine(tx: Tx, workflow_id: str, command: commands.Command) -> int:
    """Queue a command that the engine itself asks; its id."""
    args = journal.encode(command)
    return tx.insert(
        Command, workflow_id=workflow_id, kind=command.kind, args=args, source="engine"
    )
