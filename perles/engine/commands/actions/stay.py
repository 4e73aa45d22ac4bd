"""stay: an engine that would end when idle serves on."""

from typing import Any

from perles.domain.commands import Stay
from perles.engine.context import Context
from perles.store.schema.engine import Command


async def stay(context: Context, _command: Command, _asked: Stay) -> dict[str, Any]:
    """Nothing changes for one that stays anyway."""
    context.stay()
    return {}
