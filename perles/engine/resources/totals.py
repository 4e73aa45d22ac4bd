"""What all workflows used together: a person may count it from 0 again."""

from typing import Final

from perles.domain.errors import UsageError
from perles.store.events import journal
from perles.store.expressions import update
from perles.store.schema.resources import Totals
from perles.store.sql import Sql
from perles.store.transaction import Tx

_RESET: Final = {
    "tokens": Sql(update(Totals).values(tokens=0)),
    "cost_usd": Sql(update(Totals).values(cost_usd=0)),
}


def reset(tx: Tx, resource: str, reason: str) -> float:
    """Set a total to 0; what it was. Raises `UsageError`."""
    if resource not in _RESET:
        raise UsageError(f"cannot reset {resource!r}: tokens and cost_usd are counted")
    if not reason.strip():
        raise UsageError("cannot reset without a reason: --reason TEXT")
    was = float(getattr(tx.need(Totals, 1), resource))
    tx.run(_RESET[resource])
    journal.append(tx, "resource.reset", {"resource": resource, "was": was, "reason": reason})
    return was
