"""HealthMonitor: knows waiting from working from stuck, and recovers as far as it may.

One sweep is one query over all running workflows; `rules` decides what it means. The
processes of silent workflows alone are looked at: a long compile that uses the processor,
or a download, is work. Timers are suspended while a workflow waits, and begin again when
the wait is over.
"""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any, Final

from perles.config.model import HealthPolicy
from perles.domain.clock import from_text, to_text
from perles.domain.errors import DatabaseError, PerlesError
from perles.engine.bulkhead import Troubles
from perles.engine.commands.queue import Commands
from perles.engine.context import log
from perles.engine.health import ladder, queries
from perles.engine.health.process_activity import Effort
from perles.engine.health.rules import Finding, Signals, judge
from perles.engine.health.stuck_workers import StuckWorkers
from perles.engine.services import Services
from perles.engine.turns.live import LiveTurn
from perles.store.events import journal
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx

LONGEST_INTERVAL: Final = 10.0
SHORTEST_INTERVAL: Final = 0.5
MARGIN: Final = 2
"""Sweeps before a finding from which on processes are looked at, so that it has a measure."""


class HealthMonitor:
    """Looks at all running workflows, again and again."""

    def __init__(
        self, services: Services, commands: Commands, effort: Effort | None = None
    ) -> None:
        self._context = services
        self._commands = commands
        self._effort = effort or Effort(services.executor.used)
        self._workers = StuckWorkers(services)
        # What the engine itself does on its way up is heard, too: agents may be quick.
        self._seen_seq = int(services.reader.value(queries.NEWEST))
        self._floor = self._last = services.database.clock.now()
        self._paced = 0.0
        self._excused: dict[str, datetime] = {}
        self._at_work: set[str] = set()
        """Whose processes did something although nothing was heard, at the last look."""
        self._steps: dict[str, asyncio.Task[None]] = {}
        self._troubles = Troubles()

    @property
    def _policy(self) -> HealthPolicy:
        return self._context.config.health_policy

    @property
    def interval(self) -> float:
        """Seconds between sweeps: a quarter of the shortest timeout, 10 s at most."""
        shortest = min(self._policy.heartbeat_timeout, self._policy.progress_timeout) / 4
        return min(LONGEST_INTERVAL, max(SHORTEST_INTERVAL, shortest))

    async def sweep(self) -> None:
        """Look once: tell what changed, and begin the next step where one is due."""
        now = self._context.database.clock.now()
        self._mind_the_gap(now)
        rows = self._rows()
        await self._note(rows)
        # What is being recovered right now is looked at afterwards.
        rows = [row for row in rows if row["id"] not in self._steps]
        soon = now + timedelta(seconds=MARGIN * self.interval)
        seen = self._signals_of(rows, now, soon)
        suspects = {id for id in list(seen) if self._is_suspect(seen, id, soon)}
        suspects |= self._at_work & set(seen)
        quiet = self._workers.suspects(rows, soon)
        lives = self._context.turns.of_any(suspects, {row["turn_id"] for row in quiet})
        works = await self._effort.of(lives, self._heard(lives), now)
        self._effort.keep(live.turn_id for live in lives)
        in_doubt = {live.workflow_id for live in lives if live.turn_id not in works}
        self._at_work = {live.workflow_id for live in lives if works.get(live.turn_id)}
        stuck = set(self._steps)
        for workflow_id, signals in seen.items():
            with self._troubles.apart(f"looking at {workflow_id}"):
                findings = self._judge(workflow_id, signals, now)
                if workflow_id in in_doubt | self._at_work:
                    findings = [finding for finding in findings if finding.kind == "recovered"]
                stuck |= {workflow_id for finding in findings if finding.kind == "stuck"}
                for finding in findings:
                    await self._act(workflow_id, finding)
        alone = [row for row in quiet if row["workflow_id"] not in stuck]
        for workflow_id, step in await self._workers.judge(alone, works, self._floor, now):
            self._begin(workflow_id, step)

    def _heard(self, lives: Sequence[LiveTurn]) -> dict[int, datetime]:
        """When the turns gave their last sign, of those whose CLIs are silent now and then."""
        value = self._context.reader.value
        return {
            live.turn_id: from_text(value(queries.ACTIVE_AT, agent_id=live.agent_id))
            for live in lives
            if live.silent
        }

    def clock_was_set(self, seconds: float) -> None:
        """The clock was set ahead, or back where negative: what is remembered goes with it."""
        by = timedelta(seconds=seconds)
        self._floor, self._last = self._floor + by, self._last + by
        self._excused = {id: at + by for id, at in self._excused.items()}
        self._workers.clock_was_set(by)
        self._effort.clock_was_set(by)

    async def settle(self) -> None:
        """Wait for the steps that were begun."""
        await asyncio.gather(*self._steps.values())

    def _mind_the_gap(self, now: datetime) -> None:
        """We were down, or the machine slept: they did not, and their timers start again."""
        gap = (now - self._last).total_seconds()
        if gap > 3 * max(self._paced, self.interval) + 5 or gap < 0:
            self._floor = now
        self._last, self._paced = now, self.interval

    def _rows(self) -> Sequence[Any]:
        """Every running workflow, with what was heard of it since the last sweep."""
        rows = self._context.reader.rows(queries.SWEEP, since=self._seen_seq)
        if rows:
            self._seen_seq = max(self._seen_seq, rows[0]["newest"] or 0)
        for workflow_id in set(self._excused) - {row["id"] for row in rows}:
            del self._excused[workflow_id]
        return rows

    async def _note(self, rows: Sequence[Any]) -> None:
        """Keep what was heard, once a sweep however many events."""
        heard = [r for r in rows if r["beat"] or r["progress"] or r["health"] == "unknown"]
        if not heard:
            return
        try:
            await self._context.writer.write(lambda tx: _note(tx, heard))
        except DatabaseError:
            raise
        except Exception:  # noqa: BLE001 - one of them raised it: the others are noted alone
            for row in heard:
                with self._troubles.apart(f"noting what was heard of {row['id']}"):
                    await self._context.writer.write(partial(_note, rows=[row]))

    def _signals_of(self, rows: Sequence[Any], now: datetime, soon: datetime) -> dict[str, Signals]:
        """The signals of workflows that wait, are not well, or will not be at `soon`. It compares
        times as texts, at a tenth of the cost, since nearly all are well."""
        present = to_text(now)
        heard = to_text(soon - timedelta(seconds=self._policy.heartbeat_timeout))
        moved = to_text(soon - timedelta(seconds=self._policy.progress_timeout))
        found = {}
        for row in rows:
            waits = _waits(row, present)
            if waits or row["health"] != "healthy" or not _is_well(row, heard, moved):
                with self._troubles.apart(f"looking at {row['id']}"):
                    found[row["id"]] = self._signals(row, waits)
        return found

    def _signals(self, row: Any, waits: str | None) -> Signals:
        excused = self._excused.get(row["id"], self._floor)
        # Of one that is stuck, only the next step is put off: what we do about it is no sign of it.
        floor = self._floor if row["health"] == "stuck" else max(self._floor, excused)
        last = row["last_recovery_at"]
        return Signals(
            state=row["state"],
            health=row["health"],
            heartbeat=_latest(floor, row["beat"], row["last_heartbeat_at"]),
            progress=_latest(floor, row["progress"], row["last_progress_at"]),
            recoveries=0 if row["progress"] else row["recovery_count"],
            last_recovery=_latest(excused, last) if last else None,
            waits_for=waits,
        )

    def _is_suspect(self, seen: dict[str, Signals], workflow_id: str, soon: datetime) -> bool:
        """Whether its processes are to be looked at."""
        try:
            found = judge(seen[workflow_id], self._policy, soon)
        except Exception as error:  # noqa: BLE001 - the bulkhead: the others are judged
            self._troubles.tell(f"looking at {workflow_id}", error)
            del seen[workflow_id]
            return False
        return any(finding.kind != "recovered" for finding in found)

    def _judge(self, workflow_id: str, signals: Signals, now: datetime) -> list[Finding]:
        if signals.waits_for is not None or workflow_id in self._at_work:
            self._excused[workflow_id] = now
        return judge(signals, self._policy, now)

    async def _act(self, workflow_id: str, finding: Finding) -> None:
        if finding.kind in ("degraded", "stuck", "recovered"):
            await self._context.writer.write(lambda tx: _tell(tx, workflow_id, finding))
        else:
            step = ladder.step(self._context, workflow_id, finding)
            self._begin(workflow_id, step)

    def _begin(self, workflow_id: str, step: Callable[[], Awaitable[None]]) -> None:
        """Take a step beside the sweeps, in the workflow's lane: it may wait for processes."""

        async def run() -> None:
            try:
                async with self._commands.lane(workflow_id):
                    await step()
            except PerlesError as error:
                log.warning("recovery of %s: %s", workflow_id, error)
            except Exception:  # noqa: BLE001 - a bug in one step must not end the others
                log.exception("recovery of %s", workflow_id)
            finally:
                self._steps.pop(workflow_id, None)

        self._steps[workflow_id] = asyncio.ensure_future(run())


def _is_well(row: Any, heard: str, moved: str) -> bool:
    beat = row["beat"] or row["last_heartbeat_at"]
    progress = row["progress"] or row["last_progress_at"]
    return bool(beat and beat > heard and progress and progress > moved)


def _waits(row: Any, now: str) -> str | None:
    """Why the silence of this workflow means nothing; None when it does."""
    # Agents inside a turn may sit out a rate limit by themselves.
    if row["limited_until"] and row["limited_until"] > now:
        return f"rate limited until {row['limited_until']}"
    if row["works"]:
        return None
    if row["waiting_for_user"]:
        return "waiting for you"
    if row["delayed_until"] and row["delayed_until"] > now:
        return f"a task is tried again at {row['delayed_until']}"
    if row["waits_for_service"]:
        return "waiting for a service to be ready"
    if row["waits_for_names"]:
        return "waiting for a mutex or a limit that other tasks hold"
    return "waiting for an AI call" if row["queues"] else None


def _latest(floor: datetime, *texts: str | None) -> datetime:
    return max([floor, *(from_text(text) for text in texts if text)])


def _note(tx: Tx, rows: Sequence[Any]) -> None:
    """Write heartbeats and progress; progress ends a recovery."""
    for row in rows:
        heard = {name: row[name] and min(row[name], tx.now) for name in ("beat", "progress")}
        values = {**heard, "now_": tx.now}
        tx.run(queries.NOTE, id_=row["id"], **values)
        if row["progress"] and row["recovery_count"]:
            tx.update(Workflow, row["id"], recovery_count=0)
            payload = {"recoveries": row["recovery_count"]}
            journal.append(tx, "recovery.succeeded", payload, workflow_id=row["id"])


def _tell(tx: Tx, workflow_id: str, finding: Finding) -> None:
    workflow = tx.need(Workflow, workflow_id)
    if workflow.state != "running":
        return
    health = "healthy" if finding.kind == "recovered" else finding.kind
    if workflow.health == health:
        return
    tx.update(Workflow, workflow_id, health=health)
    working = tx.rows(queries.WORKING_AGENTS, workflow_id=workflow_id)
    payload = {
        "silent_s": round(finding.silent),
        "doing": [ladder.doing(row, tx.now) for row in working],
    }
    journal.append(tx, f"health.{finding.kind}", payload, workflow_id=workflow_id)
