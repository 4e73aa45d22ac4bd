"""HealthMonitor: knows waiting from working from stuck, and recovers as far as it may.

One sweep is one query over all running workflows; what it means is decided by
`health_rules`. Only of those that are silent are the processes looked at: a long
compile that uses the processor is work.
"""

from datetime import datetime
from typing import Any, Final

from perles.agents import process
from perles.config import HealthPolicy
from perles.domain.clock import from_text
from perles.domain.errors import PerlesError
from perles.engine import health_queries, recovery
from perles.engine.commands import Commands
from perles.engine.context import Context, log
from perles.engine.health_rules import Finding, Signals, judge
from perles.store import journal
from perles.store.database import Tx
from perles.store.schema import Workflow
from perles.store.waiting_views import age, first_line

LONGEST_INTERVAL: Final = 10.0
SHORTEST_INTERVAL: Final = 0.5
CPU_SHARE: Final = 0.01
"""Share of a core above which a silent process tree counts as working."""


class HealthMonitor:
    """Looks at all running workflows, again and again."""

    def __init__(self, context: Context, commands: Commands) -> None:
        self._context = context
        self._commands = commands
        self._seen_seq = 0
        self._floor: datetime | None = None
        self._last: datetime | None = None
        self._limits: dict[str, str] = {}
        self._cpu: dict[str, tuple[datetime, float]] = {}

    @property
    def _policy(self) -> HealthPolicy:
        return self._context.config.health_policy

    @property
    def interval(self) -> float:
        """Seconds between sweeps: a quarter of the shortest timeout, 10 s at most."""
        shortest = min(self._policy.heartbeat_timeout, self._policy.progress_timeout) / 4
        return min(LONGEST_INTERVAL, max(SHORTEST_INTERVAL, shortest))

    async def sweep(self) -> None:
        """Look once: tell what changed, and take the next step where one is due."""
        now = self._context.database.clock.now()
        gap = None if self._last is None else (now - self._last).total_seconds()
        if gap is None or gap > 3 * self.interval + 5:
            self._floor = now  # we slept, not they: timers start again
        self._last = now
        rows = self._context.reader.rows(health_queries.SWEEP, since=self._seen_seq)
        if rows:
            self._seen_seq = max(self._seen_seq, rows[0]["newest"] or 0)
        beats, findings = [], []
        for row in rows:
            seen = self._signals(row, now)
            if row["beat"] or row["progress"]:
                beats.append((row["id"], row["beat"], row["progress"], row["recovery_count"]))
            if row["health"] == "unknown":
                beats.append((row["id"], None, None, 0))
            found = judge(seen, self._policy, now)
            if found and found[0].kind != "recovered" and self._uses_cpu(row["id"], now):
                continue
            findings += [(row["id"], finding) for finding in found]
        self._forget({row["id"] for row in rows})
        if beats:
            await self._context.writer.write(lambda tx: _note(tx, beats))
        for workflow_id, finding in findings:
            await self._act(workflow_id, finding)

    def _signals(self, row: Any, now: datetime) -> Signals:
        if row["limited_until"]:
            self._limits[row["id"]] = row["limited_until"]
        floor = self._floor or now
        return Signals(
            state=row["state"],
            health=row["health"],
            heartbeat=_latest(floor, row["beat"], row["last_heartbeat_at"]),
            progress=_latest(floor, row["progress"], row["last_progress_at"]),
            recoveries=0 if row["progress"] else row["recovery_count"],
            last_recovery=row["last_recovery_at"] and from_text(row["last_recovery_at"]),
            waits_for=self._waits(row, now),
        )

    def _waits(self, row: Any, now: datetime) -> str | None:
        """Why the silence of this workflow means nothing; None when it does."""
        limited = self._limits.get(row["id"])
        if limited is not None and from_text(limited) > now:
            return f"rate limited until {limited}"
        if row["works"]:
            return None
        if row["asks"] or row["waiting_for_user"]:
            return "waiting for you"
        return "waiting for an agent's turn" if row["queues"] else None

    def _uses_cpu(self, workflow_id: str, now: datetime) -> bool:
        """Whether the workflow's processes used the processor since they were last looked at.

        At the first look nobody can tell yet: the benefit of the doubt, for one sweep.
        """
        used = process.cpu_seconds(process.family([f"PERLES_WORKFLOW={workflow_id}"]))
        before = self._cpu.get(workflow_id)
        self._cpu[workflow_id] = (now, used)
        if before is None:
            return used > 0
        elapsed = max((now - before[0]).total_seconds(), 0.001)
        return (used - before[1]) / elapsed > CPU_SHARE

    def _forget(self, running: set[str]) -> None:
        for known in (self._limits, self._cpu):
            for workflow_id in set(known) - running:
                del known[workflow_id]

    async def _act(self, workflow_id: str, finding: Finding) -> None:
        if finding.kind in ("degraded", "stuck", "recovered"):
            await self._context.writer.write(lambda tx: _tell(tx, workflow_id, finding))
            return
        async with self._commands.lane(workflow_id):
            try:
                await recovery.take_step(self._context, workflow_id, finding)
            except PerlesError as error:
                text = str(error)
                log.warning("recovery of %s: %s", workflow_id, text)
                await self._context.writer.write(
                    lambda tx: recovery.failed(tx, workflow_id, finding, text)
                )


def _latest(floor: datetime, *texts: str | None) -> datetime:
    return max([floor, *(from_text(text) for text in texts if text)])


def _note(tx: Tx, beats: list[tuple[str, str | None, str | None, int]]) -> None:
    """Write heartbeats and progress, once a sweep however many events; progress ends a recovery."""
    for workflow_id, beat, progress, recoveries in beats:
        values: dict[str, Any] = {}
        if beat:
            values["last_heartbeat_at"] = beat
        if progress:
            values["last_progress_at"] = progress
        workflow = tx.need(Workflow, workflow_id)
        if workflow.health == "unknown":
            values["health"] = "healthy"
        if progress and recoveries:
            values["recovery_count"] = 0
            payload = {"recoveries": recoveries}
            journal.append(tx, "recovery.succeeded", payload, workflow_id=workflow_id)
        tx.update(Workflow, workflow_id, **values)


def _tell(tx: Tx, workflow_id: str, finding: Finding) -> None:
    workflow = tx.need(Workflow, workflow_id)
    if workflow.state != "running":
        return
    health = "healthy" if finding.kind == "recovered" else finding.kind
    if workflow.health == health:
        return
    tx.update(Workflow, workflow_id, health=health)
    working = tx.rows(health_queries.WORKING_AGENTS, workflow_id=workflow_id)
    payload = {
        "silent_s": round(finding.silent),
        "doing": [_doing(row, tx.now) for row in working],
    }
    journal.append(tx, f"health.{finding.kind}", payload, workflow_id=workflow_id)


def _doing(row: Any, now: str) -> str:
    began = row["started_at"] or row["active_at"]
    doing = first_line(row["command"] or row["task"] or "its turn")
    return f"{row['name']}: {doing}, {age(began, from_text(now))}"
