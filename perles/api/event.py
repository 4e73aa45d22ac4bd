"""Events as Python programs see them."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from types import MappingProxyType
from typing import Any, ClassVar

from perles.api.value import Value


class ControlPlaneEvent(Value):
    """One event of the journal, as `perles events --json` has it."""

    __slots__ = ()
    _shown: ClassVar = ("seq", "type", "workflow_id")

    @property
    def seq(self) -> int:
        """Its number: events are numbered in the order of their commits."""
        return int(self._row["seq"])

    @property
    def type(self) -> str:
        """What happened, such as `perles.events.TASK_COMPLETED`."""
        return str(self._row["type"])

    @property
    def at(self) -> datetime:
        """When, as an aware datetime."""
        return datetime.fromisoformat(self._row["at"])

    @property
    def workflow_id(self) -> str | None:
        """The workflow it is about; None for one of the engine itself."""
        told: str | None = self._row["workflow_id"]
        return told

    @property
    def agent(self) -> str | None:
        """The name of the agent it is about."""
        told: str | None = self._row["agent"]
        return told

    @property
    def task(self) -> str | None:
        """The key of the task it is about."""
        told: str | None = self._row["task"]
        return told

    @property
    def turn(self) -> int | None:
        """The id of the turn it is about."""
        told: int | None = self._row["turn"]
        return told

    @property
    def payload(self) -> Mapping[str, Any]:
        """The details of the event; `v` is the version of their format."""
        return MappingProxyType(self._row["payload"])

    def __hash__(self) -> int:
        return hash(self.seq)
