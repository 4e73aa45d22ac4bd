"""fabric_subscribe and fabric_unsubscribe: the posts of a channel that an agent gets."""

from typing import Any

from perles.engine.commands.base import ToolCall
from perles.fabric import channels


def subscribe(call: ToolCall) -> dict[str, Any]:
    """From now on this mode. Raises `NotFoundError`."""
    channel, mode = channels.subscribe(call.tx, call.agent, call.args["channel"], call.args["mode"])
    return {"channel_id": channel.id, "channel_slug": channel.slug, "mode": mode}


def unsubscribe(call: ToolCall) -> dict[str, Any]:
    """As without a subscription. Raises `NotFoundError`."""
    channels.unsubscribe(call.tx, call.agent, call.args["channel"])
    return {"success": True}
