"""A crash costs a turn, an outage costs time, and a failed task can be tried again."""

from typing import Any

import pytest

from perles.domain.errors import ToolError
from perles.domain.states import TASK
from perles.engine.commands.base import ToolCall
from perles.engine.commands.tools import assign_task, mark_task, reopen_task
from perles.store import statements
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task, TaskDependency
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks.graph import settle
from tests.integration.cli import Home
from tests.integration.scripted_cli import prompted, task_of, with_tools
from tests.integration.test_replacement import ID, Stage, stage

__all__ = ["stage"]

TURN = "turns = open('turns', 'a+'); turns.seek(0); number = len(turns.read()) + 1\n"
TURN += "turns.write('x'); turns.close()\nopen(f'prompt{number}', 'w').write(prompt)\n"
REPORT = "tools.call('report_implementation_complete', summary='it is done', exit_code=0)\n"


def test_a_worker_that_is_killed_goes_on_in_its_session_at_no_cost(home: Home) -> None:
    with_tools(
        home,
        TURN + "import signal\nif number == 1:\n    print('half of it', flush=True)\n"
        "    os.kill(os.getpid(), signal.SIGKILL)\n" + REPORT,
    )

    result = home.perles("run", prompted(home, "Write it."))

    assert result.returncode == 0, result.stderr
    task = task_of(home)
    assert (task["attempt"], task["assignee"]) == (1, "worker-1")
    told = (home.work / "prompt2").read_text()
    assert "Write it." in told
    assert "turn 1 failed:" in told
    assert "killed by SIGKILL" in told
    assert "look first at what is done already" in told


def test_a_worker_that_crashes_again_has_failed(home: Home) -> None:
    with_tools(home, TURN + "os.kill(os.getpid(), 9)")

    result = home.perles("run", prompted(home))

    assert result.returncode == 1
    assert "killed by SIGKILL" in task_of(home)["failure"]
    assert (home.work / "turns").read_text() == "xx"


def test_a_command_that_is_killed_is_not_run_again(home: Home) -> None:
    """Nobody said that it may be: it has no `retries`."""
    file = home.pipeline("p", [{"key": "a", "run": "echo x >> ran; kill -9 $PPID"}])

    assert home.perles("run", file).returncode == 1
    assert (home.work / "ran").read_text() == "x\n"


def test_an_outage_is_waited_out_and_shown(home: Home) -> None:
    with_tools(
        home,
        TURN
        + "if not os.path.exists('online'):\n    sys.exit('TypeError: fetch failed')\n"
        + REPORT,
    )
    id = home.json("create", prompted(home), "--json")["id"]
    home.perles("serve", "--detach")
    home.perles("start", id)
    home.wait_for("the outage", lambda: bool(home.events("--type", "agent.offline")))

    home.wait_for("it to be shown", lambda: "offline, asking again" in home.perles("list").stdout)
    (home.work / "online").touch()

    home.wait_for("the end", lambda: home.json("show", id, "--json")["state"] == "completed")
    assert task_of(home)["attempt"] == 1
    assert home.events("--type", "agent.rate_limited") == []


def test_a_coordinator_that_crashed_is_told_so_with_its_messages(home: Home) -> None:
    with_tools(
        home,
        TURN + "if number == 1:\n    os.kill(os.getpid(), 9)\n"
        "tools.call('signal_workflow_complete', status='success', summary='done')\n",
    )

    result = home.perles("run", "make it", "--coordinator", "mycli")

    assert result.returncode == 0, result.stderr
    told = (home.work / "prompt2").read_text()
    assert "make it" in told
    assert "turn 1 failed:" in told


def test_a_failed_task_goes_to_another_worker_who_is_told_what_was_done(home: Home) -> None:
    source = (
        TURN + "agent = os.environ['PERLES_AGENT']\n"
        "def give(name):\n"
        "    tools.call('spawn_worker')\n"
        "    tools.call('assign_task', task_id='a', worker_id=name)\n"
        "if agent == 'worker-1':\n"
        "    print('I wrote chapter one', flush=True)\n    os.kill(os.getpid(), 9)\n"
        "if agent == 'worker-2':\n"
        "    open('told2', 'w').write(prompt)\n"
        "    tools.call('report_implementation_complete', summary='too hard', exit_code=1)\n"
        "    sys.exit()\n"
        "if agent == 'worker-3':\n"
        "    open('told3', 'w').write(prompt)\n    " + REPORT + "    sys.exit()\n"
        "tasks = {t['key']: t for t in tools.call('list_tasks')['tasks']}\n"
        "if not tasks:\n"
        "    tools.call('create_task', key='a', title='A', body='Write a book.')\n"
        "    give('worker-1')\n"
        "elif 'turn of worker-1 failed' in prompt:\n"
        "    give('worker-2')\n"
        "elif tasks['a']['reported'] and tasks['a']['exit_code']:\n"
        "    tools.call('mark_task_failed', task_id='a', reason='not good enough')\n"
        "    tools.call('reopen_task', task_id='a', reason='an easier way is known')\n"
        "    give('worker-3')\n"
        "elif tasks['a']['reported']:\n"
        "    tools.call('mark_task_complete', task_id='a')\n"
        "    tools.call('signal_workflow_complete', status='success', summary='done')\n"
    )
    with_tools(home, source)

    result = home.perles("run", "a book", "--coordinator", "mycli")

    assert result.returncode == 0, result.stdout + result.stderr
    told = (home.work / "told2").read_text()
    assert "worker-1 had this task before and did not finish it:" in told
    assert "I wrote chapter one" in told
    told = (home.work / "told3").read_text()
    assert "not good enough" in told
    assert "worker-2 had this task before" in told
    assert task_of(home, "a")["attempt"] == 3


def _call(stage: Stage, handle: Any, **args: Any) -> Any:
    def call(tx: Tx) -> Any:
        workflow = tx.need(Workflow, ID)
        return handle(ToolCall(tx, stage.context, workflow, stage.coordinator, args))

    return stage.database.write(call)


def _plan(stage: Stage) -> None:
    """Task a failed; b waits for a, c for b and d; d is denied by the person."""

    def make(tx: Tx) -> None:
        ids = {"a": _task(stage, "a").id}
        for key, after, assignee in (("b", "a", None), ("d", "", "human"), ("c", "bd", None)):
            values = {"title": key, "status": "pending", "assignee": assignee}
            ids[key] = tx.insert(Task, workflow_id=ID, key=key, **values)
            for blocker in after:
                tx.insert(TaskDependency, task_id=ids[key], depends_on_id=ids[blocker])
        fire(tx, TASK, ids["d"], "fail", changes={"failure": "denied: no"})
        settle(tx, tx.need(Task, ids["d"]))

    stage.database.write(make)
    _call(stage, mark_task.fail, task_id="a", reason="it broke")


def _task(stage: Stage, key: str) -> Task:
    found = stage.context.reader.first(Task, statements.TASK_KEYED, workflow_id=ID, key=key)
    assert found is not None
    return found


def test_reopening_brings_back_what_was_skipped_because_of_it(stage: Stage) -> None:
    _plan(stage)

    answer = _call(stage, reopen_task.handle, task_id="a", reason="again", retries=2)

    assert answer == {"status": "ready", "task_id": "a", "reopened": ["a", "b"]}
    assert [_task(stage, key).status for key in "abcd"] == ["ready", "pending", "skipped", "failed"]
    assert (_task(stage, "a").failure, _task(stage, "a").retries) == (None, 3)
    (event, _) = stage.events("task.reopened")
    assert event["payload"]["reason"] == "again"


@pytest.mark.parametrize(
    ("key", "said"),
    [
        ("b", "it waits for a, which is failed; reopen that one"),
        ("d", "the user denied it"),
    ],
)
def test_what_cannot_be_reopened_says_what_to_do_instead(stage: Stage, key: str, said: str) -> None:
    _plan(stage)

    with pytest.raises(ToolError, match=said):
        _call(stage, reopen_task.handle, task_id=key, reason="again")


def test_a_task_that_is_tried_again_and_again_is_not_reopened_for_ever(stage: Stage) -> None:
    _plan(stage)
    stage.database.write(lambda tx: tx.update(Task, _task(stage, "a").id, attempt=20))

    with pytest.raises(ToolError, match="it was tried 20 times already"):
        _call(stage, reopen_task.handle, task_id="a", reason="again")


def test_a_failed_task_is_not_assigned_but_the_way_on_is_told(stage: Stage) -> None:
    _plan(stage)

    with pytest.raises(ToolError, match="it is failed, not ready; reopen_task makes it ready"):
        _call(stage, assign_task.handle, task_id="a", worker_id="worker-1")


def test_a_task_of_a_live_worker_is_not_given_to_another_one(stage: Stage) -> None:
    with pytest.raises(ToolError, match="worker-1 works on it: mark_task_failed takes it back"):
        _call(stage, assign_task.handle, task_id="a", worker_id="worker-1")
    assert stage.context.reader.need(Agent, stage.worker.id).phase == "implementing"
