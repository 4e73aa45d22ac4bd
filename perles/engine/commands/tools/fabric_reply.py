"""fabric_reply: an agent answers in a thread."""

from typing import Any

from perles.domain.errors import ToolError
from perles.engine.commands.base import ToolCall
from perles.engine.commands.tools.fabric_send import told
from perles.fabric import posts
from perles.fabric.audience import OBSERVER
from perles.fabric.posts import Author
from perles.store.schema.fabric import Channel


def handle(call: ToolCall) -> dict[str, Any]:
    """Reply; a reply to a reply lands in the same thread. Raises `PerlesError`."""
    tx, args = call.tx, call.args
    parent = posts.post_of(tx, call.workflow.id, int(args["message_id"]))
    if call.agent.role == OBSERVER:
        slug = tx.need(Channel, parent.channel_id).slug
        if slug != OBSERVER:
            raise ToolError(
                f"cannot answer post {parent.id}: it is in #{slug}, and an observer posts in "
                f"#{OBSERVER} only"
            )
    author = Author.of(call.agent)
    posted = posts.reply(
        tx, call.workflow.id, parent.id, author, args["content"], kind=args["kind"]
    )
    return {"id": posted.id, "seq": posted.id, "parent_id": posted.thread, **told(posted)}
