"""When a lease is lost: nobody can hold it any more. The one rule of engine, check and doctor."""

from typing import Final

from perles.domain.states import (
    HOLDING_TASK_STATES,
    LIVE_TURNS,
    AgentStatus,
    TaskStatus,
    WorkflowState,
)


def _words(*states: str) -> str:
    return ", ".join(f"'{state}'" for state in states)


_RUNS: Final = f"w.id = leases.workflow_id AND w.state = '{WorkflowState.RUNNING}'"
_GONE: Final = _words(AgentStatus.STOPPED, AgentStatus.RETIRED)

LOST: Final = f"""(
    (leases.kind IN ('workflow', 'port')
        AND NOT EXISTS (SELECT 1 FROM workflows w WHERE {_RUNS}))
    OR (leases.kind = 'worker'
        AND NOT EXISTS (SELECT 1 FROM workflows w JOIN agents a ON a.id = leases.agent_id
            WHERE {_RUNS} AND a.retired_at IS NULL AND a.status NOT IN ({_GONE})))
    OR (leases.kind = 'ai_call'
        AND NOT EXISTS (SELECT 1 FROM turns t
            WHERE t.agent_id = leases.agent_id AND t.status IN ({_words(*LIVE_TURNS)}))))"""  # noqa: S608 - made of our own states
"""A condition on rows of `leases`, in SQL. A paused workflow holds nothing."""

LOST_NAMED: Final = f"""NOT EXISTS (SELECT 1 FROM workflows w JOIN tasks k ON k.workflow_id = w.id
    WHERE w.id = named_leases.workflow_id AND w.state = '{WorkflowState.RUNNING}'
    AND k.id = named_leases.task_id AND (k.status IN ({_words(*HOLDING_TASK_STATES)})
        OR (k.status = '{TaskStatus.READY}' AND named_leases.acquired_at IS NULL)))"""  # noqa: S608 - made of our own states
"""The same of rows of `named_leases`: held, or waited for, by nobody."""
