"""Whether a workflow can run now: a slot, its workers' slots, and budgets."""

from perles.domain.errors import LimitReachedError
from perles.domain.states import WorkflowState
from perles.engine.context import Context
from perles.engine.resources import ai_calls, budgets, priority_queue
from perles.store.database import Reader
from perles.store.schema.workflows import Workflow


def need_room(reader: Reader, context: Context, workflow: Workflow) -> None:
    """Raise `LimitReachedError` unless the workflow can run now."""
    policy = context.config.resource_policy
    current = reader.need(Workflow, workflow.id)
    priority_queue.need_slot(reader, policy, current, ai_calls.held_back(context, reader))
    if current.state == WorkflowState.PAUSED:
        priority_queue.need_slot_of_paused(reader, policy, current)
    if ai_calls.spends(context, reader, current):
        budgets.need_some(reader, policy, current)


def has_spent_its_own(context: Context, workflow: Workflow) -> bool:
    """Whether no waiting helps: the workflow's own budget is used up."""
    try:
        budgets.need_own(context.reader, context.policy(), workflow)
    except LimitReachedError:
        return ai_calls.spends(context, context.reader, workflow)
    return False
