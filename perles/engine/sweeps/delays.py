"""Has tasks tried again whose delay is over."""

from perles.domain.clock import from_text
from perles.engine.context import Context
from perles.tasks import retrying


class Delays:
    """Knows when the next task has waited long enough."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._next: str | None = None

    async def look(self) -> None:
        """Look once. What waits is in the database: another engine goes on with it."""
        context = self._context
        row = context.reader.row(retrying.NEXT)
        self._next = None if row is None else row["held_until"]
        left = self.seconds_left()
        if left is not None and left <= 0:
            await context.writer.write(retrying.release)
            self._next = None  # what was written has us look again

    def seconds_left(self) -> float | None:
        """Until the next task has waited long enough; None without one."""
        if self._next is None:
            return None
        now = self._context.database.clock.now()
        return max(0.0, (from_text(self._next) - now).total_seconds())
