"""What was done: facts of the database first, then the words of the agents."""

import json
from typing import Any

import msgspec
import pytest

from perles.domain.errors import ToolError
from perles.domain.summary_text import summary_text
from perles.engine.commands.base import ToolCall
from perles.engine.commands.registry import TOOLS
from perles.mcp.tools.by_role import TOOLS_BY_ROLE
from perles.store.events import journal
from perles.store.reads.connection import reading
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.tasks.comments import add
from perles.workflows.summaries import whole_summary
from tests.integration.cli import Home
from tests.integration.scripted_cli import with_tools
from tests.integration.test_replacement import ID, Stage, stage
from tests.integration.test_team_tools import agent_of, use

__all__ = ["stage"]

SAID = "I wrote the parser and tried it on ten files."


def tell(stage: Stage, worker: str = "worker-1", **given: Any) -> dict[str, Any]:
    """A worker posts its account; the answer. Raises `ToolError` as for the agent."""
    tool = "post_accountability_summary"
    args = msgspec.to_builtins(TOOLS_BY_ROLE["worker"][tool].check({"summary": SAID, **given}))

    def run(tx: Tx) -> dict[str, Any]:
        agent = tx.need(Agent, agent_of(stage, worker).id)
        call = ToolCall(tx, stage.context, tx.need(Workflow, ID), agent, args)
        return TOOLS[tool](call)

    return stage.database.write(run)


def told(stage: Stage) -> dict[str, Any]:
    with reading(stage.database.path) as connection:
        return whole_summary(connection, ID)


def test_the_latest_account_of_a_worker_of_a_task_counts(stage: Stage) -> None:
    tell(stage, task_id="a", commits=["abc123"], retro={"friction": "slow tests"})
    tell(stage, task_id="a", summary="It is done, and now all of the files are read.")
    answer = tell(stage, task_id="workflow", next_steps="release it")

    assert answer == {"status": "kept", "task_id": "workflow", "worker_id": "worker-1"}
    first, second = told(stage)["accounts"]
    assert (first["task_id"], first["next_steps"]) == ("workflow", "release it")
    assert (second["task_id"], second["summary"][:10]) == ("a", "It is done")
    assert len(stage.events("worker.accounted")) == 3


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"task_id": "a", "summary": "too short"}, "length >= 20"),
        ({"task_id": "x"}, "cannot find task 'x'"),
        ({"task_id": "b"}, "tell of your own task"),
        ({"task_id": "a", "commits": ["x"] * 51}, "length <= 50"),
        ({"task_id": "a", "retro": {"mood": "fine"}}, "mood"),
    ],
)
def test_what_is_no_account_is_refused(stage: Stage, given: dict[str, Any], said: str) -> None:
    use(stage, "create_task", key="b", title="B", body="b")
    with pytest.raises(ToolError, match=said):
        tell(stage, **given)
    assert told(stage)["accounts"] == []


def test_a_worker_is_asked_to_merge_what_all_told(stage: Stage) -> None:
    tell(stage, task_id="a", issues_discovered=["the cache is never cleared"])
    with pytest.raises(ToolError, match="it only runs commands"):
        use(stage, "generate_accountability_summary", worker_id="worker-1")
    stage.database.write(lambda tx: tx.update(Agent, stage.worker.id, provider="claude"))
    with pytest.raises(ToolError, match="it has a task"):
        use(stage, "generate_accountability_summary", worker_id="worker-1")
    use(stage, "mark_task_failed", task_id="a", reason="too slow")

    assert use(stage, "generate_accountability_summary", worker_id="worker-1")["status"] == "asked"

    body = stage.messages(stage.worker)[-1].body
    assert SAID in body
    assert "the cache is never cleared" in body
    assert 'task_id "workflow"' in body


def test_facts_stand_before_words_and_are_those_of_the_rows(stage: Stage) -> None:
    receipt = {"branch": "main", "commits": [{"id": "c" * 40, "subject": "Add it"}]}
    receipt["commits"][0]["files"] = ["a.py", "b.py"]  # type: ignore[index]

    def work(tx: Tx) -> None:
        values = {"prompt": "", "stdout_path": "", "stderr_path": "", "workflow_id": ID}
        times = {"started_at": "2030-01-01T10:00:00.000Z", "ended_at": "2030-01-01T10:01:30.000Z"}
        for number, status in ((1, "succeeded"), (2, "failed")):
            about = {"agent_id": stage.worker.id, "number": number, "status": status}
            tx.insert(Turn, **about, **times, **values)
        tx.update(Agent, stage.worker.id, tokens_in=100, tokens_out=20, cost_usd=0.5)
        task = tx.need(Agent, stage.worker.id).task_id
        assert task is not None
        outputs = {"summary": "it is\x1b[2J done"}
        values = {"outputs": journal.encode(outputs), "receipt": journal.encode(receipt)}
        tx.update(Task, task, exit_code=0, **values)
        add(tx, tx.need(Task, task), "worker-2", "denied", "no test")
        add(tx, tx.need(Task, task), "worker-2", "approved", "a test")
        twin = {"key": "b", "title": "B", "status": "done", "receipt": values["receipt"]}
        tx.insert(Task, workflow_id=ID, **twin)

    stage.database.write(work)
    tell(stage, task_id="a", summary=f"{SAID}\n\x1b]0;owned\x07", verification_points=["pytest"])
    found = told(stage)
    text = summary_text(found)

    worker = next(agent for agent in found["agents"] if agent["name"] == "worker-1")
    assert (worker["turns"], worker["failed_turns"], worker["busy_s"]) == (2, 1, 180.0)
    assert (worker["commits"], worker["exit_codes"]) == (["c" * 40], {"a": 0})
    assert (found["files"], len(found["commits"])) == (["a.py", "b.py"], 1)
    assert "2 turns (1 failed), 3m, 120 tokens, 0.50 USD" in text
    assert "- **a** A: in_progress by worker-1, 2 reviews, 1 of them denied" in text
    assert "- 2 reviews, 1 of them denied\n- 1 commit on main, 2 files\n" in text
    assert text.count("- cccccccccccc Add it") == 1, "both receipts have it"
    assert text.index("## Agents") < text.index("## In the agents' own words")
    assert SAID in text
    assert "\x1b" not in text
    json.dumps(found)


TELLS = """\
if os.environ["PERLES_AGENT"] == "worker-1":
    tools.call("report_implementation_complete", summary="done", exit_code=0)
    tools.call("post_accountability_summary", task_id="a", summary="I wrote the whole book.",
               retro={"takeaways": "books are long"})
elif not tools.call("list_tasks")["tasks"]:
    tools.call("create_task", key="a", title="A", body="Write a book.")
    tools.call("spawn_worker")
    tools.call("assign_task", task_id="a", worker_id="worker-1")
elif tools.call("list_tasks")["tasks"][0]["reported"]:
    tools.call("mark_task_complete", task_id="a")
    tools.call("signal_workflow_complete", status="success", summary="a book")
"""


def test_the_summary_is_shown_and_told_as_json(home: Home) -> None:
    with_tools(home, TELLS)
    assert home.perles("run", "a book", "--coordinator", "mycli").returncode == 0

    text = home.perles("show", home.only(), "--summary").stdout
    found = home.json("show", home.only(), "--summary", "--json")

    assert "completed: a book" in text
    assert "To take along: books are long" in text
    assert found["task_counts"] == {"total": 1, "done": 1}
    assert found["accounts"][0]["worker"] == "worker-1"
