"""The end of a turn: its process has ended, or it raised what nobody expected."""

import asyncio
from typing import Final

from perles.agents.provider import Outcome
from perles.domain.commands import Fail
from perles.domain.errors import DatabaseError
from perles.engine import crash_points
from perles.engine.bulkhead import unhandled
from perles.engine.context import log
from perles.engine.end_request import request_end
from perles.engine.turns import command_results, metering
from perles.engine.turns.ending import Ending
from perles.engine.turns.live import LiveTurn, Report
from perles.engine.turns.outcome import CUT_OFF, LOST, NODE_ENDED, conclude
from perles.engine.turns.output_reader import OutputReader
from perles.engine.turns.start import Begun
from perles.executor.contract import LEFTOVERS_GRACE, Batch, Told
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.tasks.reports import printed_by

NOTE_SECONDS: Final = 0.2
"""How long the end of a command may be without a status: where its leader was killed, the process
that started that notes it."""
BROKEN: Final = Ending("fail", "turn_failed")
"""How a turn ends that raised what nobody expected."""


class TurnFinisher(OutputReader):
    """Sees turns to their end: the process ends, the rest is read, the outcome decided."""

    def watch(self, live: LiveTurn) -> None:
        """See the turn to its end: its process may be our child or one that we adopted."""
        self._live[live.turn_id] = live
        live.is_watched = True
        live.process.when_ended(lambda: self._background.start(self.finish(live)))

    async def finish(self, live: LiveTurn) -> None:
        """The process has ended: end what it left, drain its output, decide the outcome."""
        self._live[live.turn_id] = live
        try:
            await self._finish(live)
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - the bulkhead
            if live.verdict is None or not live.is_broken:
                _blame(live, error)
            await self._give_up(live)

    async def abandon(self, turn: Turn, error: Exception) -> None:
        """Fail a turn that raised what nobody expected, whatever is known of it by now."""
        live = self._live.get(turn.id)
        if live is None:
            agent = self._context.reader.need(Agent, turn.agent_id)
            live = LiveTurn.broken(turn, agent, self._context)
        await self._crash(live, error)

    async def _crash(self, live: LiveTurn, error: Exception) -> None:
        """The bulkhead: end this turn, with all that runs of it, and nothing else."""
        _blame(live, error)
        if live.is_watched:
            self._background.start(self.interrupt([live], BROKEN, grace=0.0))
        else:
            await self.finish(live)

    async def _give_up(self, live: LiveTurn) -> None:
        """Conclude a turn by its row alone; where even that cannot be, its workflow fails."""
        try:
            await self._conclude(live, live.ending or BROKEN, live.verdict or LOST, None)
        except DatabaseError:
            raise
        except Exception as error:  # noqa: BLE001 - the bulkhead
            self._let_go(live)
            await self._give_up_workflow(live.workflow_id, error)

    async def _give_up_workflow(self, workflow_id: str, error: Exception) -> None:
        """Fail a workflow whose turns can neither be started nor ended."""
        log.error("cannot handle the turns of %s", workflow_id, exc_info=error)
        reason = unhandled(error).error

        def fail(tx: Tx) -> None:
            request_end(tx, tx.need(Workflow, workflow_id), Fail(reason=reason))

        await self._context.writer.write(fail)

    async def _finish(self, live: LiveTurn) -> None:
        report = _report_of(live)
        code = live.process.status() if report is None else 0
        if code is None and live.runs_command and not live.ended_unserved:
            await asyncio.sleep(NOTE_SECONDS)
            code = live.process.status()
        if code != 0 and report is None:
            await self._end_family(live, grace=LEFTOVERS_GRACE)
        is_known = code is not None
        reaped = live.process.reap()
        if code is None and reaped is not None:
            code, is_known = reaped
        async with live.reading:
            if live.is_broken and live.verdict is not None:
                await self._conclude(live, live.ending or BROKEN, live.verdict, code)
                return
            last = await metering.at_end(live, await self._drain(live))
            if live.node is not None:
                await self._bring(live, is_known=is_known or report is not None)
            if report is not None:
                await self._conclude_command(live, report, last)
                return
            outcome = live.outcome(code, live.process.complaint())
            ending = Ending.of(outcome)
            if not is_known and not outcome.succeeded:
                ending = Ending("lose", "turn_ended")
                outcome = NODE_ENDED if live.process.ended_with_node() else LOST
            if live.verdict is not None:
                outcome = self._judged(live, live.verdict)
            await self._conclude(live, live.ending or ending, outcome, code, last)

    async def _bring(self, live: LiveTurn, *, is_known: bool) -> None:
        """Have what it did on another machine here, before anything is made of it.

        Of one that was cut off nothing counts: what is of it is put aside later.
        """
        remote = self._context.remote
        if remote is None or not is_known:
            return
        problem = await remote.bring(live.turn_id)
        if problem is not None and live.verdict is None:
            live.verdict = problem
            if problem in CUT_OFF:
                live.ending = live.ending or Ending("lose", "turn_ended")

    async def _conclude_command(self, live: LiveTurn, told: Told, last: Batch | None) -> None:
        """The command of a task has ended, with whatever exit code: its worker did well."""
        context = self._context
        is_empty = last is not None and last.offset == 0
        printed = printed_by(context.reader, context.paths, live.agent_id, is_empty=is_empty)
        left = None
        if told.code == 0 and live.verdict is None and live.ending is None:
            left = await command_results.gather(context.reader, context.paths, live.agent_id)
        live.report = Report(told.code, told.words, printed, left)
        outcome, ending = Outcome(True), Ending.of(Outcome(True))
        if live.verdict is not None:
            outcome, live.report = live.verdict, None
        await self._conclude(live, live.ending or ending, outcome, 0, last)

    def _judged(self, live: LiveTurn, verdict: Outcome) -> Outcome:
        """The verdict on a turn that we ended, unless it had told its result and only lingered.

        The exit status of a process that was ended tells nothing.
        """
        told = live.outcome(None, "")
        if verdict.error_class != "timed_out" or not told.succeeded:
            return verdict
        live.ending = None
        return told

    async def _conclude(
        self,
        live: LiveTurn,
        ending: Ending,
        outcome: Outcome,
        code: int | None,
        last: Batch | None = None,
    ) -> None:
        context = self._context
        begun = await context.writer.write(
            lambda tx: conclude(tx, context, live, ending, outcome, exit_code=code, last=last)
        )
        crash_points.at("outcome.after-commit")
        self._let_go(live)
        for one in begun:
            self._background.start(self._go_on(one))
        if not begun:
            context.kick()

    async def _go_on(self, begun: Begun) -> None:
        """Run a turn that has begun."""
        raise NotImplementedError


def _report_of(live: LiveTurn) -> Told | None:
    """How the command ended that the turn was; None where it is none, or was cut off."""
    told = live.process.told() if live.runs_command else None
    return told if told is not None and told.words else None


def _blame(live: LiveTurn, error: Exception) -> None:
    """No more of the turn is read; what was journalled of it stays."""
    log.error("cannot handle turn %s of %s", live.number, live.agent, exc_info=error)
    live.is_broken, live.verdict = True, unhandled(error)
    live.ending = live.ending or BROKEN
