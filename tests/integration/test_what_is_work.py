"""Whether there is work: the engine's statement and the read side's say the same."""

import pytest

from perles.domain.states import WorkflowState
from perles.store import statements
from perles.store.reads.engine import has_work
from perles.store.schema.workflows import Workflow
from tests.integration.cli import Home
from tests.integration.crew import Crew


@pytest.mark.parametrize("state", WorkflowState)
@pytest.mark.parametrize("asked", [None, "2026-01-01T00:00:00.000Z"])
def test_all_agree_on_what_work_is(home: Home, state: WorkflowState, asked: str | None) -> None:
    crew = Crew(home.database)
    id = crew.workflow(state=state)
    waits = asked is not None and state in ("pending", "paused")
    found: list[bool] = []
    crew.write(lambda tx: tx.update(Workflow, id, start_requested_at=asked))
    crew.write(lambda tx: found.append(bool(tx.value(statements.HAS_WORK))))

    with crew.reading() as connection:
        assert has_work(connection) is (state == "running" or waits)
    assert found == [state == "running" or waits]
    crew.close()
