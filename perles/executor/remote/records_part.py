"""The part of a node that keeps what its turns left there: records and folders of sessions."""

from __future__ import annotations

import asyncio
from typing import Final, Protocol

from perles.executor.remote.errors import NodeError
from perles.executor.remote.part import Ask, Operation, Operations, encode

PART: Final = "records"
_OPERATIONS: Final = Operations(
    PART,
    {"all": Operation(tuple[()], list[str]), "forget": Operation(tuple[str], None)},
)


class Keeps(Protocol):
    """What has the records of a node."""

    def workflows(self) -> list[str]:
        """Of which workflows anything is kept."""
        ...

    def forget_workflow(self, workflow_id: str) -> None:
        """Keep nothing of a workflow but what lives. Raises `OSError`, `ValueError`."""
        ...


class RecordsPart:
    """On the node, in its event loop: both are a few small files."""

    def __init__(self, keeps: Keeps) -> None:
        self._keeps = keeps

    async def handle(self, op: str, body: bytes) -> bytes:
        """Carry out one request."""
        args = _OPERATIONS.args(op, body)
        if op == "all":
            return encode(await asyncio.to_thread(self._keeps.workflows))
        try:
            self._keeps.forget_workflow(*args)
        except (OSError, ValueError) as error:
            raise NodeError("failed", f"cannot forget {args[0]}: {error}") from error
        return encode(None)


class RemoteRecords:
    """The records of one node, as the engine asks for them. Raises `NodeError`."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def all(self) -> list[str]:
        """The workflows of which the node keeps anything."""
        found: list[str] = await _OPERATIONS.call(self._ask, "all")
        return found

    async def forget(self, workflow_id: str) -> None:
        """Have it keep nothing of a workflow that is over."""
        await _OPERATIONS.call(self._ask, "forget", workflow_id)
