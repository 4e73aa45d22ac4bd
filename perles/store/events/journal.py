"""The journal: events are appended here, in the transaction of the change they tell of."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from perles.domain.events import EVENT_TYPES, bounded
from perles.store.transaction import Tx

_ENCODER: Final = msgspec.json.Encoder()


def encode(value: Any) -> str:
    """`value` as the JSON text that rows keep."""
    return _ENCODER.encode(value).decode()


def decode(text: str | None) -> Any:
    """What `encode` wrote; {} for nothing."""
    return msgspec.json.decode(text) if text else {}


def append(
    tx: Tx,
    type: str,
    payload: Mapping[str, Any] | None = None,
    *,
    workflow_id: str | None = None,
    agent_id: int | None = None,
    task_id: int | None = None,
    turn_id: int | None = None,
) -> int:
    """Append one event, with masks for secrets in its payload; the characters of its payload.

    Raises `ValueError` for a type that no one has declared.
    """
    if type not in EVENT_TYPES:
        raise ValueError(f"no event type {type!r}: declare it in perles.domain.events")
    text = encode(bounded(tx.secrets.mask(tx, workflow_id, payload or {})))
    tx.pend((workflow_id, agent_id, task_id, turn_id, type, text, tx.now))
    return len(text)
