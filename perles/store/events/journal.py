"""The journal: events are appended here, in the transaction of the change they tell of."""

from collections.abc import Mapping
from typing import Any, Final

import msgspec

from perles.domain.events import EVENT_TYPES, bounded
from perles.store.database import Tx
from perles.store.expressions import bindparam, insert
from perles.store.schema.journal import Event
from perles.store.sql import Sql

_COLUMNS: Final = (
    "workflow_id",
    "agent_id",
    "task_id",
    "turn_id",
    "type",
    "payload",
    "created_at",
)
_INSERT: Final = Sql(insert(Event).values({name: bindparam(name) for name in _COLUMNS}))
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
    tx.run(
        _INSERT,
        workflow_id=workflow_id,
        agent_id=agent_id,
        task_id=task_id,
        turn_id=turn_id,
        type=type,
        payload=text,
        created_at=tx.now,
    )
    return len(text)
