"""What an engine asks of a node, and what a node answers: typed, versioned, in frames of bytes.

Each request may come twice, late, or after its engine was replaced: all are idempotent by turn,
and each carries the epoch of its engine. A node refuses what an older epoch asks. Where a call
also renews the node's lease, it says until when, by the clock of the node (`Greeting.clock`): one
that is delivered late can then not renew it for longer than its engine counts on.

A frame is its length in four bytes and that many bytes. A client of a node's socket sends two, the
node's token and the call, and gets one, the answer.
"""

from __future__ import annotations

from typing import Final

import msgspec

from perles.executor.remote.errors import FencedError, NodeError, NodeSpawnError, StaleEpochError
from perles.executor.remote.messages import Answer, Refused, Request

VERSION: Final = 1
"""Of these messages. A node of another version refuses, and tells its own."""
MAX_FRAME: Final = 64 * 1024 * 1024
"""Bytes of a frame: more is refused before it is read."""


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """One request of an engine. `until` renews the node's lease, 0 does not."""

    version: int = VERSION
    epoch: int
    until: float = 0.0
    boot_id: str = ""
    """Of the node whose clock `until` is: one that was booted since has another."""
    request: Request


_ENCODER: Final = msgspec.msgpack.Encoder()
_CALLS: Final = msgspec.msgpack.Decoder(Call)
_ANSWERS: Final[msgspec.msgpack.Decoder[Answer]] = msgspec.msgpack.Decoder(Answer)


def encode(message: Call | Answer) -> bytes:
    """The bytes of a call or an answer, without the length before them."""
    return _ENCODER.encode(message)


def decode_call(data: bytes) -> Call:
    """A call. Raises `NodeError` where it is none of this version."""
    try:
        return _CALLS.decode(data)
    except (msgspec.DecodeError, RecursionError) as error:
        raise NodeError("request", f"cannot read a request: {error}") from error


def decode_answer(data: bytes) -> Answer:
    """An answer. Raises `NodeError` where it is none of this version."""
    try:
        found: Answer = _ANSWERS.decode(data)
        return found
    except (msgspec.DecodeError, RecursionError) as error:
        raise NodeError("request", f"cannot read an answer: {error}") from error


def checked(answer: Answer) -> Answer:
    """An answer that is no refusal. Raises `NodeError`, by its kind."""
    if not isinstance(answer, Refused):
        return answer
    if answer.kind == "spawn":
        raise NodeSpawnError(answer.message, answer.number)
    kinds: dict[str, type[NodeError]] = {"stale_epoch": StaleEpochError, "fenced": FencedError}
    raise kinds.get(answer.kind, NodeError)(answer.kind, answer.message)
