"""fabric_ack: an agent has dealt with posts."""

from typing import Any

from perles.engine.commands.base import ToolCall
from perles.fabric import inbox


def handle(call: ToolCall) -> dict[str, Any]:
    """Take them out of its inbox, all or none. Raises `NotFoundError`."""
    acked = inbox.ack(call.tx, call.agent, [int(id) for id in call.args["message_ids"]])
    return {"acked_count": len(acked)}
