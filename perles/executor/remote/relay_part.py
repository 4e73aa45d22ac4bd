"""The part of a node that relays agents' tool calls: `mcp.relay` there, `mcp.relayed` here."""

from __future__ import annotations

import os
from collections.abc import Collection
from typing import Final

from perles.executor.remote.errors import NodeError
from perles.executor.remote.part import Ask, Operation, Operations, encode
from perles.mcp.relay import Relay, Waiting

PART: Final = "relay"
_OPERATIONS: Final = Operations(
    PART,
    {
        "all": Operation(tuple[()], list[str]),
        "check": Operation(tuple[()], None),
        "open": Operation(tuple[str], int),
        "close": Operation(tuple[str], None),
        "waiting": Operation(tuple[list[str], int, float], Waiting),
        "answer": Operation(tuple[str, bytes], None),
    },
)


class RelayPart:
    """On the node, in its event loop."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay

    async def handle(self, op: str, body: bytes) -> bytes:
        """Carry out one request."""
        args = _OPERATIONS.args(op, body)
        if op == "all":
            return encode(self._relay.all())
        if op == "answer":
            self._relay.answer(*args)
            return encode(None)
        try:
            return encode(await getattr(self._relay, op)(*args))
        except OSError as error:
            why = os.strerror(error.errno) if error.errno else str(error)
            raise NodeError("failed", why.lower()) from error


class RemoteRelay:
    """The relay of one node, as the engine asks it: a `relayed.RelayNode`."""

    def __init__(self, ask: Ask) -> None:
        self._ask = ask

    async def open(self, workflow_id: str) -> int:
        """The port at which the workflow's agents call on the node. Raises `NodeError`."""
        return int(await _OPERATIONS.call(self._ask, "open", workflow_id))

    async def check(self) -> None:
        """See that agents there can call it. Raises `NodeError`, of kind "failed" else."""
        await _OPERATIONS.call(self._ask, "check")

    async def all(self) -> list[str]:
        """The workflows that have a port there. Raises `NodeError`."""
        found: list[str] = await _OPERATIONS.call(self._ask, "all")
        return found

    async def close(self, workflow_id: str) -> None:
        """Listen no more. Raises `NodeError`."""
        await _OPERATIONS.call(self._ask, "close", workflow_id)

    async def waiting(self, have: Collection[str], told: int, seconds: float) -> Waiting:
        """What waits. Raises `NodeError`."""
        args = (list(have), told, seconds)
        found: Waiting = await _OPERATIONS.call(self._ask, "waiting", *args, wait=seconds)
        return found

    async def answer(self, id: str, response: bytes) -> None:
        """Answer a call. Raises `NodeError`."""
        await _OPERATIONS.call(self._ask, "answer", id, response)
