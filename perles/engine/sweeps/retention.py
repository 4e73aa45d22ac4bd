"""The sweep that keeps to `retention:`: in a thread, by the code of the commands."""

import asyncio
from dataclasses import replace
from typing import Final

from perles.domain.duration import format_duration
from perles.engine.context import Context, log
from perles.maintenance.retention import keep_up

SWEEP_SECONDS: Final = 600.0
TRUST_SECONDS: Final = 86_400.0
"""How long a clock that was set ahead must go on before it tells what is old."""


class RetentionSweep:
    """Looks whether a backup or a prune is due."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._prunes_from = 0.0

    def clock_was_set(self, seconds: float) -> None:
        """Set ahead, it makes all old at once: nothing is removed until that clock has lasted."""
        if seconds > 0:
            self._prunes_from = self._context.database.clock.elapsed() + TRUST_SECONDS
            log.warning("retention removes nothing for %s", format_duration(TRUST_SECONDS))

    async def sweep(self) -> None:
        """Do what is due; nothing where the configuration asks for nothing."""
        context = self._context
        wanted = context.config.retention
        if context.database.clock.elapsed() < self._prunes_from:
            wanted = replace(wanted, older_than=0.0)
        if wanted.older_than <= 0 and wanted.backup_every <= 0:
            return
        done = await asyncio.to_thread(keep_up, context.paths, wanted, context.database.clock)
        if done["backup"]:
            log.info("wrote backup %s", done["backup"])
        if done["pruned"]:
            log.info("pruned %d workflows", len(done["pruned"]))
        for one in done["spared"]:
            log.info("spared %(workflow_id)s: %(worktree)s: %(why)s", one)
