"""The engine's audit and `maintenance check` call the same leases lost, whatever the rows say."""

import re
from itertools import product

from perles.domain.states import AgentStatus, TurnStatus, WorkflowState
from perles.engine.resources.audit import release_lost
from perles.store.reads.consistency import leases_without_holder
from perles.store.schema.resources import Lease
from tests.integration.crew import Crew

KINDS = ("workflow", "port", "worker", "ai_call")


def _holds(kind: str, state: str, status: str, turn: str) -> bool:
    """What runs holds; a worker that was stopped or retired holds nothing, one that failed does."""
    if kind == "ai_call":
        return turn in ("starting", "running")
    return state == "running" and (kind != "worker" or status not in ("stopped", "retired"))


def test_all_call_the_same_leases_lost(crew: Crew) -> None:
    lost = set()
    for number, (kind, state, status, turn) in enumerate(
        product(KINDS, WorkflowState, AgentStatus, (TurnStatus.RUNNING, TurnStatus.FAILED))
    ):
        id = crew.workflow(f"wf-{number:08d}", state)
        agent = crew.agent(id, "worker-1", status)
        crew.turn(id, agent, turn)
        holder = {"agent_id": agent} if kind in ("worker", "ai_call") else {}
        value = 9001 + number if kind == "port" else None
        crew.insert(Lease, kind=kind, value=value, workflow_id=id, acquired_at="", **holder)
        if not _holds(kind, state, status, turn):
            lost.add(id)

    with crew.reading() as connection:
        said = " ".join(leases_without_holder(connection))
        told = set(re.findall(r"wf-\d{8}", said))
        everything = {row[0] for row in connection.execute("SELECT workflow_id FROM leases")}
    crew.write(release_lost)
    with crew.reading() as connection:
        left = {row[0] for row in connection.execute("SELECT workflow_id FROM leases")}
        assert leases_without_holder(connection) == []

    assert told == lost
    assert everything - left == lost
