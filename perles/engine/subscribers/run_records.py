"""Session folders tell how their workflows stand: written as soon as one pauses or ends.

Which are due is a mark on their rows, set with the change itself: what an engine that dies
leaves unwritten, the next one writes.
"""

import asyncio
from functools import partial
from typing import Final

from perles.domain.errors import DatabaseError
from perles.engine.context import Context, log
from perles.store.expressions import bindparam, select, update
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.transaction import Tx
from perles.workflows import run_record

BATCH: Final = 50
LONGEST: Final = 10.0
"""Seconds that the end of the engine waits for what is left to write."""

_DUE: Final = Sql(
    select(Workflow.id, Workflow.version)
    .where(Workflow.unrecorded == 1)
    .order_by(Workflow.id)
    .limit(BATCH)
)
_WRITTEN: Final = Sql(
    update(Workflow)
    .where(Workflow.id == bindparam("id_"), Workflow.version == bindparam("version_"))
    .values(unrecorded=0)
)


class RunRecords:
    """Writes what is due, beside all else."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._changed = asyncio.Event()
        self._task: asyncio.Task[None] | None = None
        self._leaving = False
        self._indexed = False

    def look(self) -> None:
        """Something was committed: look for what is due."""
        self._changed.set()

    def start(self) -> None:
        """Begin with what the last engine left."""
        self._changed.set()
        self._task = asyncio.ensure_future(self._work())

    async def stop(self) -> None:
        """Write what is left, in the time that there is; then the next engine."""
        self._leaving = True
        self._changed.set()
        try:
            async with asyncio.timeout(LONGEST):
                await (self._task or self.write_due())
        except TimeoutError:
            log.info("the next engine writes the rest of the session folders")

    async def _work(self) -> None:
        while not self._leaving:
            await self._changed.wait()
            self._changed.clear()
            await self.write_due()
        await self.write_due()

    async def write_due(self) -> None:
        """Write all that is due now. What cannot be written is told, and not tried again."""
        context, path = self._context, self._context.database.path
        written: list[str] = []
        try:
            while rows := context.reader.rows(_DUE):
                for row in rows:
                    try:
                        await asyncio.to_thread(run_record.write, path, row["id"])
                    except DatabaseError:
                        raise  # for all of them, and it may pass
                    except Exception as error:  # noqa: BLE001 - one folder stops no other
                        log.error("cannot write the session folder of %s: %s", row["id"], error)
                    mark = partial(_mark, workflow_id=row["id"], version=row["version"])
                    await context.writer.write(mark)
                    written.append(row["id"])
            if written:
                sessions = context.paths.sessions_dir()
                added = written if self._indexed else None  # an engine begins with a whole one
                await asyncio.to_thread(run_record.write_index, path, sessions, added)
                self._indexed = True
        except (OSError, DatabaseError) as error:
            log.error("session folders wait: %s", error)


def _mark(tx: Tx, workflow_id: str, version: int) -> None:
    tx.run(_WRITTEN, id_=workflow_id, version_=version)
