"""The sweep that keeps to `retention:`: in a thread, by the code of the commands."""

import asyncio
from typing import Final

from perles.engine.context import Context, log
from perles.upkeep.retention import keep_up

SWEEP_SECONDS: Final = 600.0


class RetentionSweep:
    """Looks whether a backup or a prune is due."""

    def __init__(self, context: Context) -> None:
        self._context = context

    async def sweep(self) -> None:
        """Do what is due; nothing where the configuration asks for nothing."""
        context = self._context
        wanted = context.config.retention
        if wanted.older_than <= 0 and wanted.backup_every <= 0:
            return
        done = await asyncio.to_thread(keep_up, context.paths, wanted, context.database.clock)
        if done["backup"]:
            log.info("wrote backup %s", done["backup"])
        if done["pruned"]:
            log.info("pruned %d workflows", len(done["pruned"]))
        for one in done["spared"]:
            log.info("spared %(workflow_id)s: %(worktree)s: %(why)s", one)
