"""How many posts a person has not read: one rule for all doors, by the driver alone.

A post counts as read once a person was shown it, or a later one of its channel: in the dashboard,
on the page, or as text of `perles posts`. What a program or an agent fetches does not count as
read, and one's own posts never count as unread.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any, Final

if TYPE_CHECKING:
    from perles.store.reads.connection import Connection

MAX_UNREAD: Final = 100
"""What is unread in a channel is counted up to this number, where workflows are listed."""
OF_CHANNEL: Final = (
    "(SELECT count(*) FROM (SELECT 1 FROM posts p WHERE p.channel_id = c.id "
    "AND p.author != 'user' AND p.id > coalesce(r.last_post_id, 0) LIMIT ?) n)"
)
"""The count of channel `c`, whose mark is `r`; its parameter is the highest count."""
CHANNELS: Final = "channels c LEFT JOIN channel_reads r ON r.channel_id = c.id"


def unread_posts(connection: Connection, ids: Sequence[str]) -> dict[str, int]:
    """The unread posts of each workflow, up to `MAX_UNREAD` a channel, where it has any."""
    found: dict[str, int] = {}
    for start in range(0, len(ids), 500):
        some = ids[start : start + 500]
        query = (
            "SELECT u.workflow_id, sum(u.unread) FROM "
            f"(SELECT c.workflow_id, {OF_CHANNEL} AS unread FROM {CHANNELS} WHERE c.threads > 0 "
            f"AND c.workflow_id IN ({', '.join('?' * len(some))})) u "
            "GROUP BY u.workflow_id HAVING sum(u.unread) > 0"
        )
        params: tuple[Any, ...] = (MAX_UNREAD, *some)
        found.update((row[0], int(row[1])) for row in connection.execute(query, params))
    return found
