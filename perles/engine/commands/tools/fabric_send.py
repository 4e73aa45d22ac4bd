"""fabric_send: an agent begins a thread in a channel."""

from typing import Any

from perles.domain.errors import ToolError
from perles.engine.commands.base import ToolCall
from perles.fabric import posts
from perles.fabric.audience import OBSERVER
from perles.fabric.posts import Author, Posted


def handle(call: ToolCall) -> dict[str, Any]:
    """Post, and tell the author whom it reaches. Raises `PerlesError` with what to do instead."""
    args = call.args
    if call.agent.role == OBSERVER and args["channel"] != OBSERVER:
        raise ToolError(f"cannot post in #{args['channel']}: an observer posts in #{OBSERVER} only")
    author = Author.of(call.agent)
    posted = posts.post(
        call.tx, call.workflow.id, args["channel"], author, args["content"], kind=args["kind"]
    )
    return {"id": posted.id, "seq": posted.id, "channel_id": posted.channel_id, **told(posted)}


def told(posted: Posted) -> dict[str, Any]:
    """What an author is told of a post: whom it names, who is told of it, and what went wrong."""
    notes = {"notes": posted.notes} if posted.notes else {}
    return {"mentions": posted.mentions, "tells": posted.concerns, **notes}
