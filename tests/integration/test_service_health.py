"""A service that starts, or runs, and the health of its workflow."""

import asyncio
import shutil
from pathlib import Path

import pytest

from perles.domain.execution import Execution
from perles.domain.services import AGENT_TYPE, Ready
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.store.schema.resources import NamedLease
from perles.store.schema.tasks import Task
from perles.store.statements import COORDINATOR_OF
from perles.store.transaction import Tx
from tests.integration.health_world import FIRST_PORT, HealthWorld
from tests.integration.scheduler_world import without_processes

HALF_AN_HOUR = 180


@pytest.mark.parametrize(
    ("waits", "told"),
    [("service", []), ("name", []), ("nothing", ["health.degraded", "health.stuck"])],
)
def test_who_waits_for_a_service_or_a_name_is_not_stuck_and_a_service_is_no_sign(
    tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch, waits: str, told: list[str]
) -> None:
    without_processes(monkeypatch)
    shutil.copy(migrated, tmp_path / "perles.db")
    world = HealthWorld(tmp_path, FIRST_PORT)

    async def run() -> str:
        id = world.request(1)
        await world.begin(id)
        world.write(lambda tx: _insert(tx, id, waits))
        for _ in range(HALF_AN_HOUR):
            await world.sweep()
        return id

    assert world.told(of=asyncio.run(run())) == told
    world.close()


def _insert(tx: Tx, id: str, waits: str) -> None:
    """A service that runs; with it a task that waits, for it or for a name. No agent works."""
    coordinator = tx.first(Agent, COORDINATOR_OF, workflow_id=id)
    assert coordinator is not None
    tx.write(Agent, coordinator.id, {"status": "ready"})
    execution = journal.encode(Execution(service=Ready(kind="line", value="up")).stored())
    since = None if waits == "service" else tx.now
    about = {"workflow_id": id, "title": "x"}
    service = tx.insert(
        Task, key="web", status="in_progress", execution=execution, serving_since=since, **about
    )
    other = tx.insert(Task, key="other", status="ready", **about)
    values = {"role": "worker", "agent_type": AGENT_TYPE, "provider": "builtin"}
    tx.insert(
        Agent, workflow_id=id, name="service-web", status="working", task_id=service, **values
    )
    if waits == "name":
        tx.insert(NamedLease, name="db", size=1, task_id=other, workflow_id=id, asked_at=tx.now)
