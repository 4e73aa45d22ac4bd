"""What a running workflow does or waits for is said by `list` and `show`."""

from datetime import timedelta

import pytest

from perles.domain.workflow_filter import WorkflowFilter
from perles.store.reads import resources
from perles.store.reads.current_work import waits_for
from perles.store.reads.inbox import inbox
from perles.store.reads.overviews import list_workflows
from perles.store.reads.workflow import show_workflow
from perles.store.schema.agents import ProviderHold
from perles.store.schema.resources import ResourceLimit
from tests.integration.cli import Home
from tests.integration.crew import Crew

ID = "wf-aaaaaaaa"


def _said(crew: Crew) -> list[str]:
    with crew.reading() as connection:
        return waits_for(connection, [ID], now=crew.now)[ID]


def test_a_command_is_named_with_its_time(crew: Crew) -> None:
    task = crew.task(ID, "unit", "in_progress", run="pytest -q\n# more")
    agent = crew.agent(ID, "worker-1", task_id=task)
    crew.turn(ID, agent, started_at=crew.at(minutes=6))

    assert _said(crew) == ["worker-1: pytest -q, 6m"]


def test_the_tool_that_has_not_answered_is_named(crew: Crew) -> None:
    agent = crew.agent(ID, "worker-1")
    turn = crew.turn(ID, agent, started_at=crew.at(minutes=30))
    tool = {"kind": "tool", "name": "Bash", "done": False, "input": '{"command": "make all"}'}
    about = {"workflow_id": ID, "agent_id": agent, "turn_id": turn}
    crew.event("worker.output", tool, at=crew.now - timedelta(minutes=4), **about)

    assert _said(crew) == ["worker-1: make all, 4m"]


def test_a_tool_that_has_answered_is_not(crew: Crew) -> None:
    task = crew.task(ID, "unit", "in_progress", title="Unit tests")
    agent = crew.agent(ID, "worker-1", task_id=task)
    turn = crew.turn(ID, agent, started_at=crew.at(seconds=20))
    tool = {"kind": "tool", "name": "Bash", "done": True}
    about = {"workflow_id": ID, "agent_id": agent, "turn_id": turn}
    crew.event("worker.output", tool, at=crew.now, **about)

    assert _said(crew) == ["worker-1: Unit tests, 20s"]


def test_a_wait_for_an_ai_call_is_said(crew: Crew) -> None:
    agent = crew.agent(ID, "coordinator", "ready")
    crew.turn(ID, agent, "queued", created_at=crew.at(minutes=2))

    assert _said(crew) == ["waiting for an AI call (coordinator), 2m"]


@pytest.mark.parametrize("whose", ["its own", "that of all"])
def test_a_wait_for_budget_that_others_have_reserved_is_said(crew: Crew, whose: str) -> None:
    id = crew.workflow("wf-bbbbbbbb", token_budget=1000 if whose == "its own" else 0)
    crew.turn(id, crew.agent(id, "coordinator", "ready"), "queued", created_at=crew.at(minutes=2))
    crew.insert(ResourceLimit, resource="ai_calls", value=5)
    if whose == "that of all":
        crew.insert(ResourceLimit, resource="tokens", value=1000)

    with crew.reading() as connection:
        (said,) = waits_for(connection, [id], now=crew.now)[id]

    assert said.startswith("waiting, the turns that run have reserved the rest of the budget")


@pytest.mark.parametrize("whole_provider", [True, False])
def test_a_rate_limit_is_said_with_its_end(crew: Crew, whole_provider: bool) -> None:
    until = crew.at(minutes=-90)
    held = {} if whole_provider else {"held_until": until}
    crew.message(crew.agent(ID, "coordinator", "ready", **held))
    if whole_provider:
        crew.insert(ProviderHold, provider="claude", until=until, reason="quota")

    (said,) = _said(crew)
    assert said.startswith("rate limited until ")
    assert until[11:16] in said
    assert said.endswith("(claude)")


def test_a_rate_limit_that_is_over_is_not_said(crew: Crew) -> None:
    crew.message(crew.agent(ID, "coordinator", "ready", held_until=crew.at(minutes=1)))

    assert _said(crew) == ["waiting for a turn (coordinator)"]


def test_an_agent_with_nothing_to_do_waits_for_nothing(crew: Crew) -> None:
    crew.agent(ID, "coordinator", "ready")

    assert _said(crew) == []


def test_what_a_person_can_end_comes_first(home: Home, crew: Crew) -> None:
    id = _asking(crew, "running")
    crew.turn(id, crew.agent(id, "worker-1"), started_at=crew.at(minutes=3))

    listed = {row["id"]: row for row in home.json("list", "--json")}[id]
    first, second = listed["waits_for"]
    assert first == listed["attention"]
    assert first.endswith("approve deploy?")
    assert crew.at(minutes=5)[11:16] in first
    assert second.startswith("worker-1: its turn")
    assert "approve deploy" in home.perles("list").stdout
    assert "worker-1: its turn" in home.perles("show", id).stdout


def test_a_paused_workflow_still_says_what_it_asks(crew: Crew) -> None:
    id = _asking(crew, "paused")

    with crew.reading() as connection:
        shown = show_workflow(connection, id)
    assert shown["attention"].endswith("approve deploy?")
    assert shown["waits_for"] == []


def _asking(crew: Crew, state: str) -> str:
    """A workflow that waits for a person; its id."""
    id = crew.workflow("wf-cccccccc", state, waiting_for_user=1)
    human = {"assignee": "human", "body": "approve deploy?", "started_at": crew.at(minutes=5)}
    crew.task(id, "ok", "waiting_for_user", **human)
    return id


def test_only_running_workflows_wait_for_something(crew: Crew) -> None:
    other = crew.workflow("wf-bbbbbbbb", "paused")
    crew.message(crew.agent(other, "coordinator", "ready"))

    with crew.reading() as connection:
        found = {row["id"]: row for row in list_workflows(connection, WorkflowFilter()).rows}
    assert found[other]["waits_for"] == []


def test_what_nudges_cost_is_shown(home: Home, crew: Crew) -> None:
    other = crew.workflow("wf-bbbbbbbb", last_recovery_at=crew.at(minutes=1))
    agent = crew.agent(other, "coordinator", "ready")
    used = {"tokens_in": 100, "tokens_out": 20, "tokens_cached": 3, "cost_usd": 0.25}
    nudged = crew.turn(other, agent, "succeeded", **used)
    crew.turn(other, agent, "succeeded", number=2, tokens_in=5000)
    crew.message(agent, kind="reminder", status="done", turn_id=nudged)
    crew.message(agent, kind="user", status="done", turn_id=nudged)

    with crew.reading() as connection:
        shown = show_workflow(connection, other)
        limits = {row["resource"]: row for row in resources.resources(connection)}
        assert show_workflow(connection, ID)["nudges"]["count"] == 0
    assert shown["nudges"] == {"count": 1, "tokens": 123, "cost_usd": 0.25}
    assert limits["nudge_tokens"]["used"] == 123
    assert "1, 123 tokens, 0.25 USD" in home.perles("show", other).stdout


def test_the_inbox_says_what_a_stuck_workflow_was_doing(crew: Crew) -> None:
    payload = {"silent_s": 301, "doing": ["worker-1: pytest -q, 5m"]}
    stuck = crew.workflow("wf-bbbbbbbb", health="stuck")
    crew.event("health.stuck", payload, at=crew.now, workflow_id=stuck)

    with crew.reading() as connection:
        (note,) = inbox(connection)
    assert note["text"] == "no progress for 301s: worker-1: pytest -q, 5m"
