"""fabric_attach: a post refers to a file."""

from typing import Any

from perles.engine.commands.base import ToolCall
from perles.fabric import artifacts


def handle(call: ToolCall) -> dict[str, Any]:
    """Record the file, which was looked at before. Raises `NotFoundError` for no post."""
    file = call.outside.file
    assert file is not None, "the queue looks at it before"
    return artifacts.attach(
        call.tx, call.agent, int(call.args["target_id"]), file, call.args["name"]
    )
