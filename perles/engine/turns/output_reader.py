"""What live turns print is read piece by piece, and journalled."""

from perles.agents.provider import Outcome
from perles.engine import crash_points
from perles.engine.context import log
from perles.engine.turns import metering
from perles.engine.turns.ending import Ending
from perles.engine.turns.ingest import apply_batch
from perles.engine.turns.limits import OUTPUT_LIMIT
from perles.engine.turns.live import LiveTurn
from perles.engine.turns.live_turn_registry import LiveTurns
from perles.executor.contract import REPLACED_GRACE, Batch


class OutputReader(LiveTurns):
    """Journals what live turns print."""

    async def _ingest(self, live: LiveTurn) -> bool:
        """Journal one piece of output; whether that was all there is by now.

        A piece that could not be written is kept: the parser must not hear it twice.
        """
        batch = live.pending or live.read(ended=False)
        if batch.offset != live.offset:
            live.pending = batch
            await self._journal(live, batch)
            crash_points.at("output.after-commit")
            live.pending = None
            live.offset = batch.offset
            metering.heard(live, batch)
            self._end_hopeless(live, batch)
        return batch.at_end

    async def _journal(self, live: LiveTurn, batch: Batch) -> None:
        await self._context.writer.write(lambda tx: apply_batch(tx, live, batch))
        live.output.told()

    async def _drain(self, live: LiveTurn) -> Batch | None:
        """Journal the rest, except the very last piece, which goes with the outcome.

        What a process that lives on prints later is not the turn's. What a turn printed beyond
        its limit is not read: its file keeps it.
        """
        try:
            end = live.process.size()
            if live.verdict is not None and live.verdict.error_class == OUTPUT_LIMIT:
                end = min(end, self._context.config.limits.turn_output)
            while not await self._ingest(live) and live.offset < end:
                pass
            return live.read(ended=True)
        except OSError as error:
            log.error("cannot read the last output of %s: %s", live.agent, error)
            return None

    def _end_hopeless(self, live: LiveTurn, batch: Batch) -> None:
        """End a turn whose CLI goes on although it said what makes that vain."""
        for event in batch.events:
            if event.data.get("ends_turn") and live.ending is None and live.identity is not None:
                reason = Outcome(False, event.data.get("error_class"), event.text)
                self._background.start(self._end_for(live, reason))
                return

    async def _end_for(self, live: LiveTurn, reason: Outcome) -> None:
        """End a turn that went beyond a limit, and tell which."""
        timed_out = reason.error_class == "timed_out"
        log.warning("ending turn %s of %s: %s", live.number, live.agent, reason.error)
        live.verdict = reason
        ending = Ending("time_out" if timed_out else "fail", "turn_failed")
        await self.interrupt([live], ending, grace=REPLACED_GRACE if timed_out else 0.0)
