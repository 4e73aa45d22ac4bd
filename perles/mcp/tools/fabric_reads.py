"""Fabric tools that only look: answered from the database, past the command queue."""

from collections.abc import Sequence
from typing import Any, Final

from perles.mcp.host import Caller
from perles.store.reader import Reader
from perles.store.reads import fabric

Json = dict[str, Any]

MAX_INBOX: Final = 50
"""Posts in one answer of fabric_inbox."""
MAX_SHOWN: Final = 2000
"""Characters of a post in a list of posts."""
MAX_THREAD: Final = 64 * 1024
"""Characters of the replies in one answer of fabric_read_thread."""


def read_inbox(reader: Reader, caller: Caller, _arguments: Any) -> Json:
    """What the caller has not acknowledged, by channel; the newest posts of it, in their order."""
    counts = fabric.unacked(reader, caller.agent_id)
    by_channel: dict[str, Json] = {}
    for post in fabric.inbox(reader, caller.agent_id, limit=MAX_INBOX):
        entry = {
            "channel_id": post["channel_id"],
            "channel_slug": post["channel"],
            "unacked": counts.get(post["channel"], 0),
            "messages": [],
        }
        by_channel.setdefault(post["channel"], entry)["messages"].append(_shown(post))
    total = sum(counts.values())
    shown = sum(len(entry["messages"]) for entry in by_channel.values())
    found: Json = {"channels": list(by_channel.values()), "total_unacked": total}
    if total > shown:
        found["not_shown"] = f"{total - shown} older ones: fabric_ack these, and call again"
    return found


def read_history(reader: Reader, caller: Caller, arguments: Any) -> Json:
    """The first posts of a channel's threads, the newest first."""
    slug = fabric.channel_slug(arguments.channel)
    found = fabric.history(
        reader,
        caller.workflow_id,
        slug,
        before=None if arguments.before is None else int(arguments.before),
        limit=arguments.limit,
        unacked_by=None if arguments.include_acked else caller.agent_id,
    )
    acked = fabric.acked(reader, caller.agent_id, [post["id"] for post in found])
    messages = [
        {
            **_shown(post),
            "seq": post["id"],
            "reply_count": post["replies"],
            "is_acked": post["id"] in acked,
            "has_artifact": post["has_artifact"],
        }
        for post in found
    ]
    answer: Json = {
        "channel_id": fabric.channel_id(reader, caller.workflow_id, slug),
        "channel_slug": slug,
        "messages": messages,
        "total_count": fabric.count_threads(reader, caller.workflow_id, slug),
    }
    if len(found) == arguments.limit:
        answer["older"] = f"call again with before={found[-1]['id']}"
    return answer


def read_thread(reader: Reader, caller: Caller, arguments: Any) -> Json:
    """A thread: its first post and its replies, as far as they fit, the newest of them."""
    asked = int(arguments.message_id)
    first, *replies = fabric.thread(reader, caller.workflow_id, asked)
    kept = _that_fit(replies, asked)
    shown = [first, *kept]
    answer: Json = {
        "message": _whole(first),
        "replies": [_whole(post) for post in kept],
        "participants": list(dict.fromkeys(post["author"] for post in shown)),
    }
    if first["replies"] > len(kept):
        answer["not_shown"] = f"{first['replies'] - len(kept)} older replies"
    if arguments.include_artifacts:
        found = fabric.artifacts(reader, [post["id"] for post in shown if post["has_artifact"]])
        answer["artifacts"] = [
            {
                "id": one["id"],
                "message_id": one["post_id"],
                "name": one["name"],
                "path": one["path"],
                "media_type": one["media_type"],
                "size_bytes": one["size_bytes"],
                "created_by": one["author"],
                "created_at": one["created_at"],
            }
            for one in found
        ]
    return answer


def ids_of_inbox(answer: Json) -> list[int]:
    """The posts that an answer of `read_inbox` shows."""
    return [post["id"] for entry in answer["channels"] for post in entry["messages"]]


def ids_of_history(answer: Json) -> list[int]:
    """The posts that an answer of `read_history` shows."""
    return [post["id"] for post in answer["messages"]]


def ids_of_thread(answer: Json) -> list[int]:
    """The posts that an answer of `read_thread` shows."""
    return [post["id"] for post in (answer["message"], *answer["replies"])]


def _that_fit(replies: Sequence[Json], asked: int) -> list[Json]:
    """The newest replies whose texts fit into one answer, and the one that was asked for."""
    room, kept = MAX_THREAD, []
    for post in reversed(replies):
        room -= len(post["text"])
        if room >= 0 or post["id"] == asked:
            kept.append(post)
    return kept[::-1]


def _whole(post: Json) -> Json:
    found = {
        "id": post["id"],
        "content": post["text"],
        "kind": post["kind"],
        "created_by": post["author"],
        "created_at": post["at"],
    }
    if post["mentions"]:
        found["mentions"] = post["mentions"]
    if post["thread"] != post["id"]:
        found["parent_id"] = post["thread"]
    return found


def _shown(post: Json) -> Json:
    """A post in a list, its text cut where it is long."""
    found, text = _whole(post), post["text"]
    if len(text) > MAX_SHOWN:
        found["content"] = f"{text[:MAX_SHOWN]}… [cut: fabric_read_thread shows it whole]"
    return found
