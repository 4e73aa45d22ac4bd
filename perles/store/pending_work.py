"""Whether there is work for an engine: the one rule, in SQL, of engine, doctor and dashboard."""

from typing import Final

from perles.domain.states import WorkflowState

# Two conditions, for each is found by an index of its own.
WORK: Final = f"""(
    EXISTS (SELECT 1 FROM workflows WHERE state = '{WorkflowState.RUNNING}')
    OR EXISTS (SELECT 1 FROM workflows
        WHERE state IN ('{WorkflowState.PENDING}', '{WorkflowState.PAUSED}')
        AND start_requested_at IS NOT NULL))"""  # noqa: S608 - made of our own states
"""A workflow runs, or waits in line to start or to go on."""
