"""Acknowledging what is in the inbox."""

from collections.abc import Sequence

from perles.access.origin import Origin
from perles.domain.errors import NotFoundError, UsageError
from perles.store.events import journal
from perles.store.reads.inbox import KINDS
from perles.store.schema.journal import Event, InboxAck
from perles.store.transaction import Tx


def insert_acks(tx: Tx, numbers: Sequence[int], origin: Origin) -> int:
    """Acknowledge events by their seq; how many were not before. All of them, or none.

    `origin` is who does it. Raises `NotFoundError` for one that is not in the inbox,
    `UsageError` for an approval.
    """
    count = 0
    for seq in dict.fromkeys(numbers):
        event = tx.get(Event, seq)
        if event is not None and event.type == "task.waiting_for_user":
            raise UsageError(
                f"cannot acknowledge {seq}: it waits for an answer; perles approve, perles deny"
            )
        if event is not None and event.type == "question.asked":
            raise UsageError(
                f"cannot acknowledge {seq}: it waits for an answer; perles questions, perles answer"
            )
        if event is None or event.type not in KINDS:
            raise NotFoundError("inbox entry", str(seq), "perles inbox shows the numbers")
        if tx.get(InboxAck, seq) is None:
            tx.insert(InboxAck, seq=seq, origin=journal.encode(origin.payload()))
            count += 1
    return count
