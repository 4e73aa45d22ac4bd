"""When a lease is lost: nobody can hold it any more. The one rule of engine, check and doctor."""

from typing import Final

from perles.domain.states import LIVE_TURNS, AgentStatus, WorkflowState


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
