"""What the checks of a workflow look at."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from perles.config.model import Config
from perles.domain.records import dataclass

if TYPE_CHECKING:
    from perles.store.reads.connection import Connection


@dataclass(frozen=True, slots=True)
class Case:
    """One workflow as `show --json` has it, the database it is in, and what holds around it."""

    connection: Connection
    shown: dict[str, Any]
    config: Config
    engine_runs: bool

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.shown["id"])

    @property
    def state(self) -> str:
        """Its state."""
        return str(self.shown["state"])

    @property
    def reason(self) -> str:
        """Why it is in this state; "" where nobody said."""
        return str(self.shown["reason"] or "")
