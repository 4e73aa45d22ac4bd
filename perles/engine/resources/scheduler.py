"""The resource scheduler: grants or refuses every slot, worker and AI call within the limits.

Which of the waiting turns asks next for an AI call is `engine/turns/queue.py`'s to choose.
"""

from collections.abc import Sequence
from typing import NamedTuple

from perles.domain.errors import LimitReachedError
from perles.domain.states import WorkflowState
from perles.engine.context import Context
from perles.engine.resources import ai_calls, budgets, leases, priority_queue, worker_slots
from perles.store.reader import Reader
from perles.store.schema.agents import Agent
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.tasks import named_limits, services


class Line(NamedTuple):
    """Who may start next, in order; and the workflows that these pass, which go on waiting."""

    next: list[Workflow]
    passed: list[Workflow]


class ResourceScheduler:
    """Decides who runs, who waits, and who is next.

    It promises: no limit of the policy is exceeded, because a decision that takes something is
    made and its lease is written in one transaction; who waits is served by priority, then
    age, and age outweighs priority in the end. It keeps no state of its own: what is used and
    who waits are rows, so a new engine decides alike.
    """

    def __init__(self, context: Context) -> None:
        self._context = context

    def line(self) -> Line:
        """The waiting workflows for which there is room now, the next one first."""
        reader, policy = self._context.reader, self._context.config.resource_policy
        used = int(reader.value(leases.COUNT_LEASES, kind="workflow"))
        free = policy.max_workflows_running - used
        if free <= 0:
            return Line([], [])
        held = ai_calls.held_back(self._context, reader)
        return Line(*priority_queue.first_in_line(reader, policy, free, held))

    def need_room(self, workflow: Workflow, reader: Reader) -> None:
        """Raise `LimitReachedError` unless the workflow can run now, as `reader` sees it."""
        policy = self._context.config.resource_policy
        current = reader.need(Workflow, workflow.id)
        held = ai_calls.held_back(self._context, reader)
        priority_queue.need_slot(reader, policy, current, held)
        if current.state == WorkflowState.PAUSED:
            priority_queue.need_slot_of_paused(reader, policy, current)
        if ai_calls.spends(self._context, reader, current):
            budgets.need_some(reader, policy, current)

    def has_spent_its_own(self, workflow: Workflow) -> bool:
        """Whether no waiting helps: the workflow's own budget is used up."""
        reader = self._context.reader
        try:
            budgets.need_own(reader, self._context.config.resource_policy, workflow)
        except LimitReachedError:
            return ai_calls.spends(self._context, reader, workflow)
        return False

    async def offer_workers(self) -> None:
        """Tell coordinators that wait for a worker that a slot is free, the next one first."""
        policy = self._context.config.resource_policy
        if worker_slots.offers_due(self._context.reader, policy):
            await self._context.writer.write(lambda tx: worker_slots.offer_workers(tx, policy))

    async def offer_names(self) -> None:
        """Tell coordinators whose tasks waited for a mutex or a limit that it is their turn."""
        if named_limits.offers(self._context.reader, self._context.database.clock.now()):
            await self._context.writer.write(named_limits.offer)

    def need_worker_slot(self, tx: Tx, workflow: Workflow, live: int) -> None:
        """Raise `NoWorkerSlotError` unless a worker may be added to the `live` ones now."""
        worker_slots.need_worker_slot(tx, self._context.config.resource_policy, workflow, live)

    def with_room(self, agents: Sequence[Agent]) -> list[Agent]:
        """Those of the agents that can have a turn: not workers for whom no slot is free, or whose
        task waits for a name that it had before a pause, or for a service that is not ready."""
        reader, now = self._context.reader, self._context.database.clock.now()
        found = worker_slots.with_slots(reader, self._context.config.resource_policy, agents)
        held_up = named_limits.held_up(reader, now) | services.waiting_for_one(reader)
        return [agent for agent in found if agent.task_id not in held_up]

    def take_turn(self, tx: Tx, workflow: Workflow, agent: Agent) -> budgets.Reservation | None:
        """What the turn that starts now may use, its leases taken; None when it must wait."""
        return ai_calls.take(tx, self._context, workflow, agent)
