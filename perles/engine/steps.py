"""One look at what can be done now: each part by itself, so that none stops another."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from functools import partial

from perles.domain.errors import DatabaseError, PerlesError
from perles.engine.bulkhead import Troubles
from perles.engine.commands.queue import Commands
from perles.engine.context import log
from perles.engine.resources.scheduler import ResourceScheduler
from perles.engine.services import Services
from perles.engine.serving.serving import Serving
from perles.engine.supervision.finals import Finals
from perles.engine.sweeps import failed_coordinators
from perles.engine.sweeps.delays import Delays
from perles.engine.team.nudges import Nudges
from perles.store import statements
from perles.store.schema.workflows import Workflow


class Steps:
    """What the engine does again and again while workflows run."""

    def __init__(self, context: Services, commands: Commands) -> None:
        self._context = context
        self._commands = commands
        self._troubles = Troubles()
        self._nudges = Nudges(context)
        self._delays = Delays(context)
        self._finals = Finals(context)
        self._serving = Serving(context)

    async def take(self) -> bool:
        """Take one; whether it could be, as far as the database goes."""
        scheduler = ResourceScheduler(self._context)
        failed = partial(failed_coordinators.look, self._context)
        try:
            await self.apart("nudging", self._nudges.look)
            await self.apart("retrying tasks", self._delays.look)
            await self.apart("ending workflows", self._finals.look)
            await self.apart("looking after services", self._serving.look)
            await self.apart("starting turns", self._context.turns.deliver)
            await self.apart("retrying coordinators", failed)
            await self.apart("offering workers", scheduler.offer_workers)
            await self.apart("offering names", scheduler.offer_names)
            await self.apart("admitting workflows", self._admit)
        except DatabaseError as error:
            log.error("%s", error)
            return False
        return True

    async def apart(self, what: str, work: Callable[[], Awaitable[object]]) -> None:
        """Do one part of the engine's work: what it raises stops no other part.

        Raises `DatabaseError`.
        """
        try:
            await work()
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - the bulkhead around all that is left
            self._troubles.tell(what, error)

    def next_at(self) -> float | None:
        """When the next agent is to be told of posts, or task tried again, as a monotonic time."""
        waits = (self._nudges, self._delays, self._finals)
        left = [one.seconds_left() for one in waits]
        return min((time.monotonic() + one for one in left if one is not None), default=None)

    async def settle(self) -> None:
        """Ask nothing any more, and wait for what is being ended."""
        await self._serving.settle()

    async def pause_all(self) -> None:
        """Leave no agent behind: the workflows go on when somebody resumes them."""

        async def pause(workflow_id: str) -> None:
            async with self._commands.lane(workflow_id):
                stop = self._context.supervisor.pause
                why = "the engine was stopped"
                await self.apart(f"pausing {workflow_id}", lambda: stop(workflow_id, reason=why))

        running = self._context.reader.all(Workflow, statements.RUNNING_WORKFLOWS)
        await asyncio.gather(*(pause(workflow.id) for workflow in running))

    async def _admit(self) -> None:
        """Start workflows that wait for room, in their order, until one must go on waiting."""
        line, passed = ResourceScheduler(self._context).line()
        # Workflows that are passed over get a reason for their wait.
        for workflow in [*passed, *line]:
            async with self._commands.lane(workflow.id):
                try:
                    result = await self._context.supervisor.admit(workflow.id)
                except DatabaseError:
                    raise
                except PerlesError as error:
                    log.warning("%s", error)
                    continue
                except Exception as error:  # noqa: BLE001 - the others in the line go on
                    self._troubles.tell(f"admitting {workflow.id}", error)
                    continue
                if result["status"] == "waiting" and workflow in line:
                    return
