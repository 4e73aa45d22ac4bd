"""Requests to a part of a node that executors know nothing of: operations with their types."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, NamedTuple, Protocol

import msgspec

from perles.executor.remote.errors import NodeError

Ask = Callable[[str, str, bytes, float], Awaitable[bytes]]
"""Asks a node: the part, the operation, its body, and the seconds that its answer may take.

Raises `NodeError`.
"""


class PartHandler(Protocol):
    """A part, on the node. What it raises is told to the engine as a refusal, in its words."""

    async def handle(self, op: str, body: bytes) -> bytes:
        """Carry out one request, which may come twice; its answer."""
        ...


class Operation(NamedTuple):
    """What an operation is given, a tuple, and what it gives back."""

    takes: Any
    gives: Any


class Operations:
    """The operations of one part. Both sides have the same."""

    def __init__(self, part: str, operations: Mapping[str, Operation]) -> None:
        self.part = part
        self._args: Final = {
            op: msgspec.msgpack.Decoder(one.takes) for op, one in operations.items()
        }
        self._results: Final = {
            op: msgspec.msgpack.Decoder(one.gives) for op, one in operations.items()
        }

    async def call(self, ask: Ask, op: str, *args: object, wait: float = 0.0) -> Any:
        """Ask the node. Raises `NodeError`."""
        answer = await ask(self.part, op, encode(args), wait)
        try:
            return self._results[op].decode(answer)
        except msgspec.DecodeError as error:
            raise NodeError("failed", f"cannot read a node's answer: {error}") from error

    def args(self, op: str, body: bytes) -> tuple[Any, ...]:
        """What the engine gave. Raises `NodeError`."""
        if op not in self._args:
            raise NodeError("request", f"cannot {op[:40]!r}: part {self.part} does not know it")
        try:
            found: tuple[Any, ...] = self._args[op].decode(body)
        except msgspec.DecodeError as error:
            raise NodeError("request", f"cannot read a request: {error}") from error
        return found


def encode(value: object) -> bytes:
    """The bytes of arguments, or of an answer."""
    return msgspec.msgpack.encode(value)
