"""The secrets of each workflow, as far as they are known: no row but their own may hold them.

Known are the secrets among the variables of its tasks and its arguments, the secrets that
the engine hands to agents, and agents' tokens.
"""

from collections.abc import Iterable
from typing import Any, Final, Protocol

import msgspec

from perles.domain.secrecy import longest_first, masked, texts_of
from perles.store.expressions import bindparam, select, union_all
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql

MAX_KEPT: Final = 1000
"""Workflows whose secrets are kept at hand; of others they are read again."""
_VARIABLES: Final = Sql(
    union_all(
        select(Task.env)
        .where(Task.workflow_id == bindparam("workflow_id"), Task.env != "{}")
        .distinct(),
        select(Workflow.args).where(Workflow.id == bindparam("workflow_id"), Workflow.args != "{}"),
    )
)


class Reads(Protocol):
    """What reads rows: a transaction, or a reader."""

    def rows(self, sql: Sql, **params: Any) -> list[Any]:
        """All rows that a statement finds."""


class Secrets:
    """What a process that writes knows of secrets. Its parts may be used from any thread."""

    def __init__(self) -> None:
        self._everywhere: frozenset[str] = frozenset()
        self._told: dict[str, frozenset[str]] = {}
        self._known: dict[str | None, tuple[str, ...]] = {}

    def set_everywhere(self, texts: Iterable[str]) -> None:
        """What no row of any workflow may hold."""
        self._everywhere = frozenset(texts)
        self._known = {}

    def tell(self, workflow_id: str, texts: Iterable[str]) -> None:
        """What no row of this workflow may hold, beside what its own rows tell."""
        before, texts = self._told.get(workflow_id, frozenset()), frozenset(texts)
        if texts <= before:
            return  # what is known is kept: finding it out reads all tasks
        self._told[workflow_id] = before.union(texts)
        self._known.pop(workflow_id, None)

    def forget(self, workflow_id: str) -> None:
        """The workflow has ended."""
        self._told.pop(workflow_id, None)
        self._known.pop(workflow_id, None)

    def mask(self, tx: Reads, workflow_id: str | None, value: Any) -> Any:
        """`value` with `***` for each secret that a row of this workflow may not hold."""
        known = self._known.get(workflow_id)
        if known is None:
            known = self._find(tx, workflow_id)
        return masked(value, known)

    def _find(self, tx: Reads, workflow_id: str | None) -> tuple[str, ...]:
        found = set(self._everywhere)
        if workflow_id is not None:
            found |= self._told.get(workflow_id, frozenset())
            for row in tx.rows(_VARIABLES, workflow_id=workflow_id):
                found |= texts_of(_texts(msgspec.json.decode(row[0])))
        known = longest_first(found)
        kept = self._known if len(self._known) < MAX_KEPT else {}
        self._known = {**kept, workflow_id: known}
        return known


def _texts(variables: dict[str, Any]) -> dict[str, str]:
    return {name: value for name, value in variables.items() if isinstance(value, str)}
