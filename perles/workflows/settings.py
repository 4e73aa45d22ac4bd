"""What can be changed of a workflow that is there: its priority and its budgets."""

from typing import Any

from msgspec.structs import asdict

from perles.domain.commands import Set
from perles.domain.errors import UsageError
from perles.domain.nearest import nearest
from perles.domain.plain import LARGEST
from perles.domain.states import PRIORITIES
from perles.store.events import journal
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx


def check_change(workflow: Workflow, new: Set) -> None:
    """Raise `UsageError` for values that cannot be, `WrongStateError` when it has ended."""
    new.check_state(workflow.state, workflow.id)
    priority = new.priority
    if priority is not None and priority not in PRIORITIES:
        raise UsageError(
            f"cannot use priority {priority!r}{nearest(priority, PRIORITIES)}; "
            f"it is one of {', '.join(PRIORITIES)}"
        )
    _check_budget("token budget", new.token_budget, workflow.tokens_used)
    _check_budget("cost budget", new.cost_budget, workflow.cost_usd)


def _check_budget(what: str, budget: float | None, used: float) -> None:
    if budget is None:
        return
    if not 0 <= budget < float("inf"):
        raise UsageError(f"cannot use a {what} of {budget:g}: it must be 0 (no limit) or more")
    if isinstance(budget, int) and budget > LARGEST:
        raise UsageError(f"cannot use so large a {what}: it must be at most 2^63 - 1")
    if budget and budget < used:
        raise UsageError(
            f"cannot set a {what} of {budget:g}: {used:g} are used already; give more, or stop it"
        )


def change(tx: Tx, workflow_id: str, wanted: Set) -> dict[str, Any]:
    """Change what `wanted` names, with an event that tells what it was; the new values."""
    workflow = tx.need(Workflow, workflow_id)
    check_change(workflow, wanted)
    new = {name: value for name, value in asdict(wanted).items() if value is not None}
    before: dict[str, Any] = {
        "priority": PRIORITIES[workflow.priority],
        "token_budget": workflow.token_budget,
        "cost_budget": workflow.cost_budget,
    }
    columns = dict(new)
    if "priority" in new:
        columns["priority"] = PRIORITIES.index(new["priority"])
    if columns:
        tx.update(Workflow, workflow_id, **columns)
        payload = {**new, "before": {name: before[name] for name in new}}
        journal.append(tx, "workflow.changed", payload, workflow_id=workflow_id)
    return new
