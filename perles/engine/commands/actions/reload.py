"""reload: the engine takes up the configuration as it stands now."""

from typing import Any

from perles.domain.commands import Reload
from perles.engine.context import Context
from perles.store.schema.engine import Command


async def reload(context: Context, _command: Command, _asked: Reload) -> dict[str, Any]:
    """Read it again. Raises `UsageError`; the old one holds on then."""
    return (await context.reload())._asdict()
