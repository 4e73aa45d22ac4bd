"""The coordinator's tools for its team and its tasks, each used well and not so well."""

from typing import Any

import msgspec
import pytest

from perles.domain.errors import PerlesError, ToolError
from perles.domain.states import AGENT, PHASE
from perles.engine.commands.base import ToolCall
from perles.engine.commands.registry import TOOLS
from perles.engine.team.names import next_name
from perles.engine.team.spawn import add_agent
from perles.mcp.host import Caller
from perles.mcp.tools.by_role import TOOLS_BY_ROLE
from perles.store import statements
from perles.store.expressions import select
from perles.store.schema.agents import Agent, Message, Turn
from perles.store.schema.engine import Command
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import reports
from tests.integration.cli import Home
from tests.integration.scripted_cli import task_of as shown_task
from tests.integration.scripted_cli import with_tools
from tests.integration.test_replacement import ID, Stage, stage

__all__ = ["stage"]

OPEN_COMMANDS = Sql(select(Command).where(Command.status == "queued").order_by(Command.id))


def use(stage: Stage, tool: str, **given: Any) -> dict[str, Any]:
    """The coordinator uses a tool; its answer. Raises `ToolError` as for the agent."""
    found = TOOLS_BY_ROLE["coordinator"][tool]
    arguments = found.check(given)
    if found.read is not None:
        me = Caller(ID, stage.coordinator.id, stage.coordinator.name, "coordinator")
        return found.read(stage.context.reader, me, arguments)
    args = msgspec.to_builtins(arguments)

    def run(tx: Tx) -> dict[str, Any]:
        workflow, agent = tx.need(Workflow, ID), tx.need(Agent, stage.coordinator.id)
        return TOOLS[tool](ToolCall(tx, stage.context, workflow, agent, args))

    return stage.database.write(run)


def agent_of(stage: Stage, name: str) -> Agent:
    found = stage.context.reader.first(Agent, statements.AGENT_NAMED, workflow_id=ID, name=name)
    assert found is not None
    return found


def task_of(stage: Stage, key: str = "a") -> Task:
    found = stage.context.reader.first(Task, statements.TASK_KEYED, workflow_id=ID, key=key)
    assert found is not None
    return found


def works(stage: Stage, name: str = "worker-1") -> None:
    """The agent is in the middle of a turn."""
    stage.database.write(lambda tx: fire(tx, AGENT, agent_of(stage, name).id, "deliver"))


def commands(stage: Stage) -> list[tuple[str, dict[str, Any]]]:
    """What is queued for the engine."""
    rows = stage.context.reader.all(Command, OPEN_COMMANDS)
    return [(row.kind, msgspec.json.decode(row.args)) for row in rows]


def test_a_worker_between_turns_is_replaced_at_once(stage: Stage) -> None:
    answer = use(stage, "replace_worker", worker_id="worker-1", reason="it is confused")

    assert answer == {"status": "replaced", "worker_id": "worker-1", "successor": "worker-2"}
    fresh = agent_of(stage, "worker-2")
    assert (agent_of(stage, "worker-1").status, fresh.phase) == ("retired", "implementing")
    assert task_of(stage).assignee == "worker-2"
    assert "it is confused" in stage.messages(fresh)[0].body


def test_who_works_is_replaced_by_a_command_and_the_successor_is_named_before(
    stage: Stage,
) -> None:
    works(stage)

    answer = use(stage, "replace_worker", worker_id="worker-1", reason="r")

    assert (answer["status"], answer["successor"]) == ("submitted", "worker-2")
    ((kind, args),) = commands(stage)
    assert kind == "agent.replace"
    assert (args["agent"], args["successor"]) == ("worker-1", "worker-2")
    assert use(stage, "spawn_worker")["worker_id"] == "worker-3", "the name is promised"
    with pytest.raises(ToolError, match=r"agent\.replace of it is under way"):
        use(stage, "retire_worker", worker_id="worker-1")


def test_a_name_is_never_used_again(stage: Stage) -> None:
    def spawn_and_lose(tx: Tx) -> None:
        add_agent(tx, tx.need(Workflow, ID), "worker-7", "worker", stage.session)

    stage.database.write(spawn_and_lose)

    assert next_name(stage.context.reader, ID, "worker") == "worker-8"
    assert next_name(stage.context.reader, ID, "coordinator") == "coordinator-2"
    assert next_name(stage.context.reader, ID, "observer") == "observer-1"


def test_the_task_of_who_retires_is_ready_again_and_that_is_said(stage: Stage) -> None:
    answer = use(stage, "retire_worker", worker_id="worker-1", reason="too slow")

    assert answer["status"] == "retired"
    assert answer["note"] == "its task a is ready again"
    task = task_of(stage)
    assert (task.status, task.implementer_id, task.retries) == ("ready", None, 1)
    assert agent_of(stage, "worker-1").retired_at is not None
    with pytest.raises(ToolError, match="it is retired"):
        use(stage, "retire_worker", worker_id="worker-1")


def test_a_report_of_who_retires_stands(stage: Stage) -> None:
    worker = agent_of(stage, "worker-1")
    stage.database.write(lambda tx: reports.record(tx, worker, "done", None, None))

    answer = use(stage, "retire_worker", worker_id="worker-1")

    assert "its report on task a stands" in answer["note"]
    assert use(stage, "mark_task_complete", task_id="a")["status"] == "done"


def test_a_turn_that_waits_for_a_call_goes_with_its_agent(stage: Stage) -> None:
    def wait(tx: Tx) -> int:
        about = {"workflow_id": ID, "agent_id": stage.worker.id, "number": 1}
        return tx.insert(Turn, status="queued", prompt="", stdout_path="", stderr_path="", **about)

    turn = stage.database.write(wait)

    use(stage, "replace_worker", worker_id="worker-1")

    assert stage.context.reader.need(Turn, turn).status == "interrupted"


def test_a_stopped_worker_keeps_its_mail_but_not_the_task(stage: Stage) -> None:
    stage.database.write(lambda tx: _to_ai(tx, stage))
    use(stage, "retire_worker", worker_id="worker-1")
    name = use(stage, "spawn_worker")["worker_id"]
    stage.database.write(lambda tx: tx.update(Agent, agent_of(stage, name).id, provider="builtin"))
    use(stage, "assign_task", task_id="a", worker_id=name)
    stage.database.write(lambda tx: _to_ai(tx, stage, name))
    use(stage, "send_to_worker", worker_id=name, message="use tabs")

    answer = use(stage, "stop_worker", worker_id=name, reason="wait")

    assert answer["note"] == "its task a is ready again"
    waiting = stage.messages(agent_of(stage, name))
    assert [message.body for message in waiting] == ["use tabs"]
    again = use(stage, "send_to_worker", worker_id=name, message="and spaces")
    assert "it is stopped" in again["note"]
    with pytest.raises(ToolError, match="it is stopped already"):
        use(stage, "stop_worker", worker_id=name)


def _to_ai(tx: Tx, stage: Stage, name: str = "worker-1") -> None:
    """The worker is one that can be talked to."""
    tx.update(Agent, agent_of(stage, name).id, provider="claude")


def test_who_commits_is_stopped_by_force_alone(stage: Stage) -> None:
    def commit(tx: Tx) -> None:
        for trigger in ("report", "approve"):
            fire(tx, PHASE, stage.worker.id, trigger)

    stage.database.write(commit)
    works(stage)

    with pytest.raises(ToolError, match="it is committing"):
        use(stage, "stop_worker", worker_id="worker-1")
    assert use(stage, "stop_worker", worker_id="worker-1", force=True)["status"] == "submitted"
    ((kind, args),) = commands(stage)
    assert (kind, args["force"]) == ("agent.stop", True)


@pytest.mark.parametrize("tool", ["replace_worker", "retire_worker", "stop_worker"])
def test_the_coordinator_does_not_end_itself(stage: Stage, tool: str) -> None:
    with pytest.raises(ToolError, match="only a person can"):
        use(stage, tool, worker_id="coordinator")


def test_a_worker_that_runs_commands_is_not_written_to(stage: Stage) -> None:
    with pytest.raises(ToolError, match="it only runs commands"):
        use(stage, "send_to_worker", worker_id="worker-1", message="hello")


def test_a_message_reaches_its_worker_in_the_coordinators_name(stage: Stage) -> None:
    stage.database.write(lambda tx: _to_ai(tx, stage))

    answer = use(stage, "send_to_worker", worker_id="worker-1", message="use tabs")

    message = stage.messages(stage.worker)[-1]
    assert answer == {"status": "sent", "worker_id": "worker-1"}
    assert (message.sender, message.sender_kind, message.body, message.task_id) == (
        *("coordinator", "coordinator", "use tabs"),
        None,
    )


def test_all_of_a_task_is_told(stage: Stage) -> None:
    use(stage, "create_task", key="b", title="B", body="Do b.", after=["a"])

    told = use(stage, "get_task_status", task_id="b")

    assert (told["body"], told["after"], told["status"]) == ("Do b.", ["a"], "pending")
    assert use(stage, "get_task_status", task_id="a")["waited_for_by"] == ["b"]
    assert use(stage, "get_task_status", task_id="a")["implementer"] == "worker-1"
    with pytest.raises(ToolError, match="cannot find task 'x'"):
        use(stage, "get_task_status", task_id="x")


def test_a_task_that_nobody_has_is_changed(stage: Stage) -> None:
    use(stage, "create_task", key="b", title="B", body="Do b.")

    answer = use(stage, "update_task", task_id="b", title="BB", body="Do it well.", after=["a"])

    assert answer == {"status": "pending", "task_id": "b"}
    task = task_of(stage, "b")
    assert (task.title, task.body) == ("BB", "Do it well.")
    assert use(stage, "update_task", task_id="b", after=[])["status"] == "ready"
    (first, second) = stage.events("task.changed")
    assert first["payload"]["after"] == ["a"]
    assert second["payload"]["after"] == []


def test_tasks_never_wait_in_a_circle(stage: Stage) -> None:
    use(stage, "create_task", key="b", title="B", body="b")
    use(stage, "create_task", key="c", title="C", body="c", after=["b"])
    use(stage, "create_task", key="d", title="D", body="d", after=["c"])

    for after in (["d"], ["b"], ["a", "c"]):
        with pytest.raises(ToolError, match="that one waits for b"):
            use(stage, "update_task", task_id="b", after=after)
    assert use(stage, "get_task_status", task_id="b")["after"] == []


def test_a_task_in_somebodys_hands_stays_as_it_is(stage: Stage) -> None:
    with pytest.raises(ToolError, match="worker-1 has it: send_to_worker"):
        use(stage, "update_task", task_id="a", body="other")
    with pytest.raises(ToolError, match="give a title, a body or after"):
        use(stage, "update_task", task_id="a")


def test_the_state_of_workers_tells_all_that_is_known(stage: Stage) -> None:
    stage.database.write(
        lambda tx: tx.update(
            Agent, stage.worker.id, context_used=27_300, context_window=200_000,
            provider_session_id="s-1",
        )
    )  # fmt: skip

    told = use(stage, "query_worker_state")

    (worker,) = told["workers"]
    assert worker["context_usage"] == "27k/200k (13%)"
    assert (worker["session_id"], worker["task_status"]) == ("s-1", "in_progress")
    assert worker["started_at"]
    assert worker["retired_at"] is None
    assert told["tasks"]["a"]["implementer"] == "worker-1"
    assert told["tasks"]["a"]["reviewer"] is None


def test_a_brief_of_before_is_not_told_twice_to_a_successor(stage: Stage) -> None:
    use(stage, "replace_worker", worker_id="worker-1")
    use(stage, "replace_worker", worker_id="worker-2")

    briefs = [m for m in stage.messages(agent_of(stage, "worker-3")) if m.task_id is not None]
    assert len(briefs) == 1


def test_a_limit_refuses_a_successor_that_has_no_slot(stage: Stage) -> None:
    with pytest.raises(PerlesError):
        use(stage, "replace_worker", worker_id="worker-9")


def test_messages_of_tasks_are_known_by_their_task(stage: Stage) -> None:
    use(stage, "replace_worker", worker_id="worker-1")
    rows: list[Message] = stage.messages(agent_of(stage, "worker-2"))
    assert [row.task_id for row in rows] == [None, task_of(stage).id]


HANGS = """\
import time
name = os.environ["PERLES_AGENT"]
if name == "worker-1":
    open("begun", "w").close()
    time.sleep(60)
elif name == "worker-2":
    open("told", "w").write(prompt)
    tools.call("report_implementation_complete", summary="it is done", exit_code=0)
elif not tools.call("list_tasks")["tasks"]:
    tools.call("create_task", key="a", title="A", body="Write a book.")
    tools.call("spawn_worker")
    tools.call("assign_task", task_id="a", worker_id="worker-1")
    while not os.path.exists("begun"):
        time.sleep(0.02)
    answer = tools.call("replace_worker", worker_id="worker-1", reason="it sleeps")
    json.dump(answer, open("answer", "w"))
elif tools.call("list_tasks")["tasks"][0]["reported"]:
    tools.call("mark_task_complete", task_id="a")
    tools.call("signal_workflow_complete", status="success", summary="done")
"""


def test_a_worker_that_hangs_is_replaced_while_it_works(home: Home) -> None:
    with_tools(home, HANGS)

    result = home.perles("run", "a book", "--coordinator", "mycli")

    assert result.returncode == 0, result.stdout + result.stderr
    answer = msgspec.json.decode((home.work / "answer").read_bytes())
    assert (answer["status"], answer["successor"]) == ("submitted", "worker-2")
    told = (home.work / "told").read_text()
    assert "the coordinator replaced it (it sleeps)" in told
    assert "Write a book." in told
    assert shown_task(home, "a")["attempt"] == 1
    incoming = home.events("--type", "coordinator.incoming")
    texts = [event["payload"]["text"] for event in incoming]
    assert "the coordinator replaced worker-1 by worker-2 (it sleeps)" in texts
