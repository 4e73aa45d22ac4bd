"""Channels and posts on the read side, for people and for the tools of agents. By the driver alone.

What a function returns is bounded: `limit` posts, and `MAX_COUNTED` where something is counted.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final, NamedTuple, Protocol

from perles.domain.channels import CHANNELS, POSTABLE
from perles.domain.errors import NotFoundError
from perles.store.reads.unread import CHANNELS as CHANNELS_READ
from perles.store.reads.unread import OF_CHANNEL
from perles.store.sqlite.backend import in_numbers

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

Json = dict[str, Any]

MAX_COUNTED: Final = 1000
"""What is unread is counted up to this number."""
MAX_REPLIES: Final = 200
"""The newest replies of a thread that are read."""
_LAST: Final = 2**63 - 1
_POST: Final = (
    "SELECT p.id, p.parent_id, p.author, p.kind, p.body, p.created_at, p.replies, p.channel_id, "
    "c.slug, (SELECT group_concat(a.name, ' ') FROM post_mentions m "
    "JOIN agents a ON a.id = m.agent_id WHERE m.post_id = p.id) AS mentions, "
    "EXISTS (SELECT 1 FROM artifacts f WHERE f.post_id = p.id) AS has_artifact "
    "FROM posts p JOIN channels c ON c.id = p.channel_id "
)
_NOT_ACKED: Final = (
    "AND NOT EXISTS (SELECT 1 FROM acks k WHERE k.post_id = p.id AND k.agent_id = ?) "
)


class Connection(Protocol):
    """What runs a statement that is plain text: a connection, or a `Reader`."""

    def execute(self, sql: str, params: Sequence[Any] = ..., /) -> Iterable[Any]:
        """The rows that are found."""


def channel_slug(given: str) -> str:
    """The name of a channel, as somebody wrote it. Raises `NotFoundError`."""
    slug = given.removeprefix("#").lower()
    if slug not in CHANNELS:
        raise NotFoundError("channel", given[:80], f"the channels are {', '.join(POSTABLE)}")
    return slug


def channels(connection: Connection, workflow_id: str, *, most: int = MAX_COUNTED) -> list[Json]:
    """The channels that can be posted in, with how much of each the person has not read.

    What is unread is counted up to `most`.
    """
    rows = {
        row["slug"]: row
        for row in connection.execute(
            "SELECT c.id, c.slug, c.threads, coalesce(r.last_post_id, 0) AS seen, "
            "(SELECT max(p.id) FROM posts p WHERE p.channel_id = c.id) AS last, "
            f"{OF_CHANNEL} AS unread FROM {CHANNELS_READ} WHERE c.workflow_id = ?",
            (most, workflow_id),
        )
    }
    return [
        {
            "channel": slug,
            "purpose": CHANNELS[slug],
            "threads": rows[slug]["threads"] if slug in rows else 0,
            "last_post": rows[slug]["last"] if slug in rows else None,
            "unread": rows[slug]["unread"] if slug in rows else 0,
        }
        for slug in POSTABLE
    ]


def channel_id(connection: Connection, workflow_id: str, slug: str) -> int | None:
    """The id of a channel; None where it was not made yet."""
    query = "SELECT id FROM channels WHERE workflow_id = ? AND slug = ?"
    return next((int(row["id"]) for row in connection.execute(query, (workflow_id, slug))), None)


def count_threads(connection: Connection, workflow_id: str, slug: str) -> int:
    """How many threads there are in a channel."""
    query = "SELECT threads FROM channels WHERE workflow_id = ? AND slug = ?"
    rows = connection.execute(query, (workflow_id, slug))
    return next((int(row["threads"]) for row in rows), 0)


def history(
    connection: Connection,
    workflow_id: str,
    slug: str,
    *,
    before: int | None = None,
    limit: int = 50,
    unacked_by: int | None = None,
) -> list[Json]:
    """The newest first posts of threads in a channel, the newest first; those before an id.

    `unacked_by` leaves out what that agent has acknowledged.
    """
    id = channel_id(connection, workflow_id, slug)
    if id is None:
        return []
    query = f"{_POST}WHERE p.channel_id = ? AND p.parent_id IS NULL AND p.id < ? "
    params: list[Any] = [id, before or _LAST]
    if unacked_by is not None:
        query += _NOT_ACKED
        params.append(unacked_by)
    rows = connection.execute(f"{query}ORDER BY p.id DESC LIMIT ?", (*params, limit))
    return [_post(row) for row in rows]


class Wanted(NamedTuple):
    """Which posts a person wants to see: the newest `limit` between two ids, those left out."""

    channel: str | None = None
    thread: int | None = None
    after: int = 0
    before: int | None = None
    limit: int = 50


def shown(connection: Connection, workflow_id: str, wanted: Wanted) -> list[Json]:
    """Posts in their order, in the shape of `posts --json`. Raises `NotFoundError`."""
    if wanted.thread is None:
        found = _newest(connection, workflow_id, wanted)
    else:
        least, most = wanted.after, wanted.before or _LAST
        whole = thread(connection, workflow_id, wanted.thread)
        found = [one for one in whole if least < one["id"] < most][-wanted.limit :]
    files: dict[int, list[Json]] = {}
    for file in artifacts(connection, [one["id"] for one in found if one["has_artifact"]]):
        shape = {key: file[key] for key in ("name", "path", "media_type", "size_bytes", "author")}
        files.setdefault(file["post_id"], []).append(shape)
    return [
        {
            "id": one["id"],
            "workflow_id": workflow_id,
            "channel": one["channel"],
            "thread": one["thread"],
            "author": one["author"],
            "kind": one["kind"],
            "at": one["at"],
            "text": one["text"],
            "mentions": one["mentions"],
            "replies": one["replies"],
            "artifacts": files.get(one["id"], []),
        }
        for one in found
    ]


def _newest(connection: Connection, workflow_id: str, wanted: Wanted) -> list[Json]:
    slugs = POSTABLE if wanted.channel is None else (channel_slug(wanted.channel),)
    query = f"{_POST}WHERE p.channel_id = ? AND p.id > ? AND p.id < ? ORDER BY p.id DESC LIMIT ?"
    bounds = (wanted.after, wanted.before or _LAST, wanted.limit)
    found: list[Json] = []
    for slug in slugs:
        id = channel_id(connection, workflow_id, slug)
        if id is not None:
            found += [_post(row) for row in connection.execute(query, (id, *bounds))]
    found.sort(key=lambda one: int(one["id"]), reverse=True)
    return found[: wanted.limit][::-1]


def post(connection: Connection, workflow_id: str, post_id: int) -> Json:
    """One post of a workflow. Raises `NotFoundError`."""
    query = f"{_POST}WHERE p.id = ? AND c.workflow_id = ?"
    for row in connection.execute(query, (post_id, workflow_id)):
        return _post(row)
    raise NotFoundError("post", str(post_id), "the history of a channel shows the ids")


def thread(
    connection: Connection, workflow_id: str, post_id: int, *, limit: int = MAX_REPLIES
) -> list[Json]:
    """The first post of the thread that a post is in, then its newest replies in their order.

    Raises `NotFoundError`.
    """
    found = post(connection, workflow_id, post_id)
    first = (
        found if found["thread"] == found["id"] else post(connection, workflow_id, found["thread"])
    )
    query = f"{_POST}WHERE p.parent_id = ? ORDER BY p.id DESC LIMIT ?"
    replies = [_post(row) for row in connection.execute(query, (first["id"], limit))]
    return [first, *reversed(replies)]


def artifacts(connection: Connection, post_ids: Sequence[int]) -> list[Json]:
    """The files that these posts refer to."""
    query = (
        "SELECT id, post_id, name, path, media_type, size_bytes, author, created_at "
        f"FROM artifacts WHERE post_id IN {in_numbers()} ORDER BY id LIMIT ?"
    )
    return [dict(row) for row in connection.execute(query, (_list(post_ids), MAX_COUNTED))]


def inbox(connection: Connection, agent_id: int, *, limit: int = 50) -> list[Json]:
    """What an agent has not acknowledged: the newest posts, in their order."""
    query = (
        _POST.replace("FROM posts p", "FROM inbox_items i JOIN posts p ON p.id = i.post_id")
        + "WHERE i.agent_id = ? ORDER BY i.post_id DESC LIMIT ?"
    )
    return [_post(row) for row in connection.execute(query, (agent_id, limit))][::-1]


def unacked(connection: Connection, agent_id: int) -> dict[str, int]:
    """How much waits for an agent by channel, of the newest `MAX_COUNTED`."""
    query = (
        "SELECT c.slug, count(*) AS n FROM (SELECT post_id FROM inbox_items WHERE agent_id = ? "
        "ORDER BY post_id DESC LIMIT ?) i JOIN posts p ON p.id = i.post_id "
        "JOIN channels c ON c.id = p.channel_id GROUP BY c.slug"
    )
    return {
        str(row["slug"]): int(row["n"])
        for row in connection.execute(query, (agent_id, MAX_COUNTED))
    }


def acked(connection: Connection, agent_id: int, post_ids: Sequence[int]) -> set[int]:
    """Those of the posts that an agent has acknowledged."""
    query = f"SELECT post_id FROM acks WHERE agent_id = ? AND post_id IN {in_numbers()}"
    return {int(row["post_id"]) for row in connection.execute(query, (agent_id, _list(post_ids)))}


def untold(connection: Connection, agent_id: int, post_ids: Sequence[int]) -> list[int]:
    """Those of the posts that an agent is still to be told of."""
    query = (
        "SELECT post_id FROM inbox_items WHERE agent_id = ? AND told_at IS NULL "
        f"AND post_id IN {in_numbers()}"
    )
    return [int(row["post_id"]) for row in connection.execute(query, (agent_id, _list(post_ids)))]


def _list(ids: Sequence[int]) -> str:
    return f"[{','.join(str(id) for id in ids)}]"


def _post(row: Any) -> Json:
    return {
        "id": row["id"],
        "channel": row["slug"],
        "channel_id": row["channel_id"],
        "thread": row["parent_id"] or row["id"],
        "author": row["author"],
        "kind": row["kind"],
        "at": row["created_at"],
        "text": row["body"],
        "mentions": row["mentions"].split(" ") if row["mentions"] else [],
        "replies": row["replies"],
        "has_artifact": bool(row["has_artifact"]),
    }
