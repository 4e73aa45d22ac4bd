"""The bulkhead around each turn and each workflow: what one of them raises ends that one alone.

An agent's bytes, its files, a provider's code or a damaged row can raise anything. The turn that
raised it fails, with the traceback in the log; three such turns in a row fail their workflow.
A database that cannot be used is no turn's fault: `DatabaseError` passes.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from perles.agents import bounds
from perles.agents.provider import Outcome
from perles.domain.errors import DatabaseError, PerlesError
from perles.engine.context import log
from perles.store.expressions import bindparam, select
from perles.store.schema.agents import Turn
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx

UNHANDLED: Final = "Perles cannot handle this turn"
MAX_IN_A_ROW: Final = 3
"""Turns of a workflow that may fail so, one after the other, before it does."""
SILENT_SECONDS: Final = 60.0
"""How long the same trouble is not told again."""
MAX_KINDS: Final = 100

LATEST_ENDED_IN: Final = Sql(
    select(Turn.error_class, Turn.error)
    .where(Turn.workflow_id == WORKFLOW_ID, Turn.ended_at.is_not(None))
    .order_by(Turn.ended_at.desc(), Turn.id.desc())
    .limit(bindparam("limit"))
)


def unhandled(error: Exception) -> Outcome:
    """The outcome of a turn that raised this."""
    what = str(error) if isinstance(error, PerlesError) else f"{type(error).__name__}: {error}"
    text = f"{UNHANDLED}: {what[:500]}; perles engine logs has the details"
    return bounds.outcome(Outcome(False, "crashed", text))


def has_failed_so_again(tx: Tx, workflow_id: str) -> bool:
    """Whether the latest turns of a workflow all ended with `unhandled`."""
    latest = tx.rows(LATEST_ENDED_IN, workflow_id=workflow_id, limit=MAX_IN_A_ROW)
    errors = [str(row["error"] or "") for row in latest]
    return len(errors) == MAX_IN_A_ROW and all(text.startswith(UNHANDLED) for text in errors)


class Troubles:
    """Tells of what keeps going wrong, with its traceback, but not at each of many tries."""

    def __init__(self) -> None:
        self._told: dict[str, float] = {}

    def tell(self, what: str, error: Exception) -> None:
        """Log an error that happened while doing `what`."""
        now = time.monotonic()
        key = f"{what} {error!r}"[:300]
        if now < self._told.get(key, 0.0):
            return
        if len(self._told) >= MAX_KINDS:
            self._told.clear()
        self._told[key] = now + SILENT_SECONDS
        log.error("%s failed, and is tried again", what, exc_info=error)

    @contextmanager
    def apart(self, what: str) -> Iterator[None]:
        """Do one thing of many: what it raises is told, and the others go on.

        Raises `DatabaseError`.
        """
        try:
            yield
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - the bulkhead
            self.tell(what, error)
