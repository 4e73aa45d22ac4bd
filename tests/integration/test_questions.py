"""Agents ask the person: the question waits, and the answer finds who asked, once."""

from typing import Any

import pytest

from perles.domain.errors import NotFoundError, ToolError, UsageError, WrongStateError
from perles.domain.states import AGENT
from perles.engine.commands.base import ToolCall
from perles.engine.commands.tools import ask_user as tool
from perles.engine.supervision.transitions import ended
from perles.engine.team import leaving, reminders
from perles.store import statements
from perles.store.reads.connection import reading
from perles.store.reads.questions import questions
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import ask_user
from tests.integration.cli import Home
from tests.integration.scripted_cli import prompted, task_of, with_tools
from tests.integration.test_replacement import ID, Stage, stage
from tests.integration.test_team_tools import agent_of, use

__all__ = ["stage"]

ASKS = """\
if "The answer:" in prompt:
    open("told", "w").write(prompt)
    tools.call("report_implementation_complete", summary="it is done", exit_code=0)
elif not os.path.exists("asked"):
    asked = tools.call("ask_user", question="Tabs or spaces?", options=["tabs", "spaces"])
    open("asked", "w").write(str(asked["question"]))
else:
    open("reminded", "a").write(prompt)
"""


def _asked(home: Home) -> str:
    """A workflow whose worker has asked and ended its turn; its id."""
    with_tools(home, ASKS)
    id = home.perles("create", prompted(home, "Indent it.")).stdout.strip()
    home.perles("serve", "--detach")
    home.perles("start", id)
    home.wait_for("the question", lambda: home.json("questions", id, "--json"))
    home.wait_for("the turn's end", lambda: home.events("--type", "turn.succeeded"))
    return id


def test_a_worker_asks_and_goes_on_with_the_answer_after_a_crash(home: Home) -> None:
    id = _asked(home)
    (question,) = home.json("questions", "--json")
    (entry,) = home.json("inbox", "--json")
    (listed,) = home.json("list", "--json")

    assert (question["asked_by"], question["task"]) == ("worker-1", "ask")
    assert question["options"] == ["tabs", "spaces"]
    assert (entry["kind"], entry["question"]) == ("question", question["question"])
    assert listed["attention"].endswith("worker-1 asks: Tabs or spaces?")
    assert "worker-1 asks" in home.perles("doctor", id).stdout
    refused = home.perles("inbox", "ack", str(entry["seq"]))
    assert (refused.returncode, "perles answer" in refused.stderr) == (2, True)

    home.kill_engine()
    told = home.perles("answer", id, "2")
    assert told.stdout == f"answered question {question['question']} of {id}\n", told.stderr
    again = home.perles("answer", id, str(question["question"]), "tabs")
    assert again.returncode == 4, again.stderr
    home.perles("serve", "--detach")

    home.wait_for("the end", lambda: home.json("show", id, "--json")["state"] == "completed")
    said = (home.work / "told").read_text()
    assert "Message from the user:" in said
    assert "Tabs or spaces?" in said
    assert "> spaces" in said
    assert not (home.work / "reminded").exists(), "who waits for an answer is not reminded"
    assert task_of(home)["attempt"] == 1
    (answered,) = home.json("questions", id, "--all", "--json")
    assert (answered["status"], answered["answer"]) == ("answered", "spaces")


def test_questions_are_closed_with_their_workflow(home: Home) -> None:
    id = _asked(home)

    assert home.perles("stop", id).returncode == 0

    assert home.json("questions", "--json") == []
    (closed,) = home.json("questions", id, "--all", "--json")
    assert closed["status"] == "closed"
    assert home.perles("answer", id, str(closed["question"]), "tabs").returncode == 4
    assert home.json("inbox", "--json") == []


def _ask(stage: Stage, agent: Agent, text: str = "Tabs?", **given: Any) -> int:
    def run(tx: Tx) -> int:
        found = tx.need(Agent, agent.id)
        args = {"question": text, **given}
        call = ToolCall(tx, stage.context, tx.need(Workflow, ID), found, args)
        return int(tool.handle(call)["question"])

    return stage.database.write(run)


def _answer(stage: Stage, number: int, text: str) -> None:
    stage.database.write(lambda tx: ask_user.answer(tx, ID, number, text))


def _last(stage: Stage, agent: Agent) -> str:
    return stage.messages(agent)[-1].body


def _waits(stage: Stage) -> bool:
    return bool(stage.context.reader.need(Workflow, ID).waiting_for_user)


def test_an_agent_asks_only_so_often(stage: Stage) -> None:
    stage.database.write(
        lambda tx: tx.insert(
            Turn,
            workflow_id=ID,
            agent_id=stage.worker.id,
            number=1,
            status="running",
            prompt="",
            stdout_path="",
            stderr_path="",
        )
    )
    refused = 0
    for number in range(100):
        try:
            asked = _ask(stage, stage.worker, f"question {number}")
        except ToolError as error:
            refused += 1
            assert "end your turn" in str(error)  # noqa: PT017 - each refusal says it
        else:
            _answer(stage, asked, "yes")
    assert 100 - refused == ask_user.MAX_IN_TURN


def test_more_questions_than_wait_at_a_time_are_refused(stage: Stage) -> None:
    for number in range(ask_user.MAX_OPEN):
        _ask(stage, stage.worker, f"question {number}")
    with pytest.raises(ToolError, match="wait for an answer"):
        _ask(stage, stage.worker)
    assert _ask(stage, stage.coordinator), "each agent has its own"


def test_who_waits_for_an_answer_owes_nothing_and_nothing_is_idle(stage: Stage) -> None:
    def owes() -> bool:
        return reminders.owes_report(stage.context.reader, _now(stage, stage.worker))

    def is_under_way() -> bool:
        return bool(stage.context.reader.value(reminders.UNDER_WAY, workflow_id=ID))

    stage.database.write(lambda tx: fire(tx, AGENT, stage.coordinator.id, "stop"))
    assert (owes(), is_under_way(), _waits(stage)) == (True, False, False)

    number = _ask(stage, stage.worker)

    assert (owes(), is_under_way(), _waits(stage)) == (False, True, True)
    _answer(stage, number, "yes")
    assert not _waits(stage)


def _now(stage: Stage, agent: Agent) -> Agent:
    return stage.context.reader.need(Agent, agent.id)


def test_the_answer_finds_the_successor(stage: Stage) -> None:
    number = _ask(stage, stage.worker)
    fresh = stage.replace(stage.worker)

    _answer(stage, number, "yes")

    assert "worker-1 asked" in _last(stage, fresh)
    assert reminders.owes_report(stage.context.reader, fresh) is False


def test_the_successor_is_told_what_was_answered_before(stage: Stage) -> None:
    _answer(stage, _ask(stage, stage.worker, "Tabs\nor spaces?"), "tabs\nMessage from you:")
    _answer(stage, _ask(stage, stage.coordinator, "Which branch?"), "main")

    told = [one.body for one in stage.messages(stage.replace(stage.worker))]
    led = [one.body for one in stage.messages(stage.replace(stage.coordinator))]

    assert "> worker-1 asked: Tabs or spaces?\n> The answer: tabs\n> Message from" in told[0]
    assert sum("Tabs or spaces?" in body for body in told) == 1
    assert "> coordinator asked: Which branch?\n> The answer: main" in led[0]
    assert "Tabs" not in led[0]


def test_who_gets_the_task_next_is_told_what_was_answered(stage: Stage) -> None:
    _answer(stage, _ask(stage, stage.worker), "tabs")

    def lose(tx: Tx) -> None:
        task = tx.need(Agent, stage.worker.id).task_id
        assert task is not None
        tx.update(Task, task, run=None, worker="claude")
        fire(tx, AGENT, stage.worker.id, "deliver")
        fire(tx, AGENT, stage.worker.id, "turn_failed")

    stage.database.write(lose)
    use(stage, "spawn_worker")
    fresh = agent_of(stage, "worker-2")
    stage.database.write(lambda tx: tx.update(Agent, fresh.id, provider="claude"))
    use(stage, "assign_task", task_id="a", worker_id="worker-2")

    assert "> The answer: tabs" in _last(stage, fresh)


@pytest.mark.parametrize("how", ["retired", "failed"])
def test_the_answer_to_who_is_gone_is_told_to_the_coordinator(stage: Stage, how: str) -> None:
    number = _ask(stage, stage.worker)

    def lose(tx: Tx) -> None:
        if how == "retired":
            leaving.retire(tx, tx.need(Agent, stage.worker.id), why="", by="a test")
        else:
            fire(tx, AGENT, stage.worker.id, "deliver")
            fire(tx, AGENT, stage.worker.id, "turn_failed")

    stage.database.write(lose)
    _answer(stage, number, "yes")

    assert "worker-1 asked" in _last(stage, stage.coordinator)
    assert not any("worker-1 asked" in one.body for one in stage.messages(stage.worker))


def test_a_question_is_answered_once(stage: Stage) -> None:
    number = _ask(stage, stage.worker)
    _answer(stage, number, "yes")

    with pytest.raises(WrongStateError, match="it is answered"):
        _answer(stage, number, "no")
    with pytest.raises(NotFoundError):
        _answer(stage, number + 1, "no")


@pytest.mark.parametrize(
    ("given", "answer", "said"),
    [
        ({"options": ["a", "b"]}, "2", "b"),
        ({"options": ["a", "b"]}, "3", "3"),
        ({"options": ["7", "2"]}, "2", "2"),
        ({"options": ["a", "b"]}, "neither", "neither"),
        ({"default": "a"}, " ", "a"),
    ],
)
def test_an_answer_is_a_text_an_option_or_the_default(
    stage: Stage, given: dict[str, Any], answer: str, said: str
) -> None:
    number = _ask(stage, stage.worker, **given)
    _answer(stage, number, answer)
    assert _last(stage, stage.worker).endswith(f"The answer:\n{said}")


def test_nothing_is_no_answer_without_a_default(stage: Stage) -> None:
    number = _ask(stage, stage.worker)
    with pytest.raises(UsageError, match="with nothing"):
        _answer(stage, number, "")
    with pytest.raises(UsageError, match="over 100000 characters"):
        _answer(stage, number, "x" * 100_001)
    assert _waits(stage)


def test_what_is_asked_at_the_end_is_closed(stage: Stage) -> None:
    _ask(stage, stage.worker)
    stage.database.write(lambda tx: ended(tx, ID, "complete", "done"))

    with reading(stage.database.path) as connection:
        (found,) = questions(connection, ID, everything=True)
    assert found["status"] == "closed"
    assert not _waits(stage)
    assert len(stage.events("question.closed")) == 1


def test_the_coordinator_sees_who_waits_for_the_user(stage: Stage) -> None:
    _ask(stage, stage.worker)
    assert stage.context.reader.first(
        Agent, statements.AGENT_NAMED, workflow_id=ID, name="worker-1"
    )
    (event,) = stage.events("question.asked")
    assert event["payload"]["key"] == "a"
