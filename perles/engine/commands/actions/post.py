"""post: a person posts in a channel."""

from typing import Any

from perles.domain.commands import Post
from perles.engine.commands.actions.send import sender_of
from perles.engine.commands.base import once
from perles.engine.context import Context
from perles.fabric import posts
from perles.fabric.posts import Author, Posted
from perles.store.schema.engine import Command
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx


async def post(context: Context, command: Command, asked: Post) -> dict[str, Any]:
    """Write the post. Raises `NotFoundError`, `UsageError`, and `WrongStateError`."""
    workflow_id = command.workflow_id or ""
    return await once(context, command, lambda tx: _write(tx, workflow_id, asked, command))


def _write(tx: Tx, workflow_id: str, asked: Post, command: Command) -> dict[str, Any]:
    asked.check_state(tx.need(Workflow, workflow_id).state, workflow_id)
    author = Author(sender_of(command)[0])
    if asked.reply is None:
        posted = posts.post(tx, workflow_id, asked.channel, author, asked.text)
    else:
        posted = posts.reply(tx, workflow_id, asked.reply, author, asked.text)
    return {
        "status": "posted",
        "post": posted.id,
        "channel": posted.channel,
        "thread": posted.thread,
        "mentions": posted.mentions,
        "tells": posted.concerns,
        "aside": _aside(posted),
    }


def _aside(posted: Posted) -> str:
    """The agents that a post reaches, and what went wrong with its mentions."""
    verb = "is" if len(posted.concerns) == 1 else "are"
    told = [f"{', '.join(posted.concerns)} {verb} told"] if posted.concerns else []
    return "".join(f"; {text}" for text in (*told, *posted.notes))
