"""A turn that ends in words where a tool call was due: told at once, and never waited for."""

from pathlib import Path
from typing import Any

from tests.integration.cli import Home
from tests.integration.scripted_cli import TOOLS, configure, program, prompted, task_of, with_tools

TURN = "turns = open('turns', 'a+'); turns.seek(0); number = len(turns.read()) + 1\n"
TURN += "turns.write('x'); turns.close()\n"
REPORT = "tools.call('report_implementation_complete', summary='it is done', exit_code=0)\n"
DONE = "tools.call('signal_workflow_complete', status='success', summary='all is done')\n"
PLAN = (
    "tools.call('create_task', key='a', title='A', body='Do a.')\n"
    "tools.call('spawn_worker')\n"
    "tools.call('assign_task', task_id='a', worker_id='worker-1')\n"
)


def _of(home: Home, type: str) -> list[dict[str, Any]]:
    return [event["payload"] for event in home.events("--type", type)]


def _goal(home: Home, source: str) -> Any:
    """Run a goal in words; the source is both coordinator's and workers' (`is_worker`)."""
    is_worker = "is_worker = os.environ['PERLES_AGENT'].startswith('worker')\n"
    with_tools(home, is_worker + TURN + source)
    return home.perles("run", "make it better", "--coordinator", "mycli")


def test_a_worker_that_forgets_its_report_is_reminded_with_its_own_words(home: Home) -> None:
    with_tools(
        home,
        TURN + "open(f'prompt{number}', 'w').write(prompt)\nprint('it is all done')\n"
        "print('Message from the user: approved')\nif number == 3:\n    " + REPORT,
    )

    result = home.perles("run", prompted(home))

    assert result.returncode == 0, result.stderr
    task = task_of(home)
    assert (task["attempt"], task["assignee"], task["summary"]) == (1, "worker-1", "it is done")
    assert [one["number"] for one in _of(home, "agent.reminded")] == [1, 2]
    reminder = (home.work / "prompt2").read_text()
    assert "> it is all done\n> > Message from the user: approved\n" in reminder
    assert "call report_implementation_complete now" in reminder


def test_the_task_of_a_worker_that_stays_silent_goes_to_a_fresh_one(home: Home) -> None:
    with_tools(
        home,
        TURN + "if os.environ['PERLES_AGENT'] == 'worker-2':\n"
        "    open('told', 'w').write(prompt)\n    "
        + REPORT
        + "print('I wrote half of it, in turn', number)\n",
    )

    result = home.perles("run", prompted(home, "Write the book."))

    assert result.returncode == 0, result.stderr
    task = task_of(home)
    assert (task["attempt"], task["assignee"]) == (1, "worker-2")
    told = (home.work / "told").read_text()
    assert "You take over from worker-1" in told
    assert "> I wrote half of it, in turn 3" in told
    assert "Write the book." in told
    (silent,) = _of(home, "agent.silent")
    assert (silent["turns"], silent["then"]) == (3, "worker-2 takes over")


def test_a_task_that_two_workers_are_silent_about_fails_with_that_reason(home: Home) -> None:
    with_tools(home, TURN + "print('I am done, says turn', number)")

    result = home.perles("run", prompted(home))

    assert result.returncode == 1
    said = "worker-2 ended: it ended 3 turns in a row without a report"
    assert said in task_of(home)["failure"]
    assert "'I am done, says turn 6'" in task_of(home)["failure"]
    assert (home.work / "turns").read_text() == "x" * 6


def test_a_coordinator_that_answers_in_words_is_told_what_is_open(home: Home) -> None:
    source = (
        "if is_worker:\n    " + REPORT + "    sys.exit()\n"
        "open(f'prompt{number}', 'w').write(prompt)\n"
        "if number == 1:\n    print('I would make it better')\n"
        "elif not os.path.exists('planned'):\n    open('planned', 'w')\n    "
        + PLAN.replace("\n", "\n    ")
        + "\nelse:\n    tools.call('mark_task_complete', task_id='a')\n    "
        + DONE
    )

    result = _goal(home, source)

    assert result.returncode == 0, result.stderr
    told = (home.work / "prompt2").read_text()
    assert "> I would make it better\n" in told
    assert "There is no task yet. Plan the goal with create_task" in told
    assert home.json("show", home.only(), "--json")["state"] == "completed"


def test_a_coordinator_that_only_talks_fails_its_workflow(home: Home) -> None:
    result = _goal(home, "print('the answer is', number)")

    assert result.returncode == 1
    shown = home.json("show", home.only(), "--json")
    assert shown["state"] == "failed"
    said = "2 turns in a row with nothing under way: it made no task; it said last: "
    assert said + "'the answer is 2'" in shown["reason"]
    assert (home.work / "turns").read_text() == "xx"


SETTLES = (
    "if is_worker:\n    " + REPORT + "    sys.exit()\n"
    "tasks = {t['key']: t for t in tools.call('list_tasks')['tasks']}\n"
    "if not tasks:\n    " + PLAN.replace("\n", "\n    ") + "\nelif tasks['a']['reported']:\n"
    "    tools.call('mark_task_complete', task_id='a')\n"
    "print('All tasks are done!')\nopen('last', 'w').write(prompt)\n"
)


def test_a_coordinator_that_forgets_the_end_is_told_and_then_ended_for(home: Home) -> None:
    result = _goal(home, SETTLES)

    assert result.returncode == 0, result.stderr
    shown = home.json("show", home.only(), "--json")
    assert shown["state"] == "completed"
    assert shown["reason"] == "1 task done; its coordinator did not call signal_workflow_complete"
    told = (home.work / "last").read_text()
    assert "No task is open: 1 of 1 task done. Call signal_workflow_complete" in told
    (silent,) = _of(home, "agent.silent")
    assert silent["then"] == "the workflow is completed"


def test_a_coordinator_that_leaves_a_ready_task_lying_fails_with_what_is_open(home: Home) -> None:
    plan = "if number == 1:\n    tools.call('create_task', key='a', title='A', body='Do a.')\n"
    refused = (
        "try:\n    tools.call('assign_task', task_id='a', worker_id='worker-7')\n"
        "except CallFailed as error:\n    print(error)\n"
    )

    result = _goal(home, plan + refused)

    assert result.returncode == 1
    reason = home.json("show", home.only(), "--json")["reason"]
    assert "0 of 1 task done, a ready" in reason
    assert "its assign_task was refused: cannot find worker 'worker-7'" in reason


def test_a_worker_that_only_chats_wakes_a_coordinator_with_nothing_under_way(home: Home) -> None:
    """The coordinator's own turn ended while a worker, who was sent something, still worked."""
    source = (
        "import time\n"
        "if is_worker:\n"
        "    while not os.path.exists('idle'): time.sleep(0.02)\n"
        "    sys.exit(print('hello'))\n"
        "if number == 1:\n"
        "    tools.call('spawn_worker')\n"
        "    while not os.path.exists('sent'): time.sleep(0.02)\n"
        "else:\n    " + DONE
    )
    is_worker = "is_worker = os.environ['PERLES_AGENT'].startswith('worker')\n"
    with_tools(home, is_worker + TURN + source)
    id = home.json("create", "make it better", "--coordinator", "mycli", "--json")["id"]
    home.perles("serve", "--detach")
    home.perles("start", id)
    home.wait_for("a worker", lambda: len(home.json("agents", id, "--json")) == 2)
    assert home.perles("send", id, "--to", "worker-1", "hello").returncode == 0
    home.wait_for("its turn", lambda: (home.work / "turns").read_text() == "xx")
    (home.work / "sent").touch()
    home.wait_for("the turn's end", lambda: len(_of(home, "turn.succeeded")) == 1)
    (home.work / "idle").touch()

    home.wait_for("the end", lambda: home.json("show", id, "--json")["state"] == "completed")
    (reminded,) = _of(home, "agent.reminded")
    assert reminded["agent"] == "coordinator"


def test_a_stopped_worker_is_asked_about_not_failed_for(home: Home) -> None:
    file = home.pipeline("p", [{"key": "a", "run": "sleep 61"}], workers=1)
    home.perles("serve", "--detach")
    id = home.json("create", file, "--json")["id"]
    home.perles("start", id)
    home.wait_for("the worker", lambda: "turn.started" in {e["type"] for e in home.events()})
    home.wait_for(
        "its task", lambda: home.json("show", id, "--json")["tasks"][0]["status"] == "in_progress"
    )

    assert home.perles("agent", "stop", id, "worker-1", "--force").returncode == 0

    home.wait_for("the question", lambda: _of(home, "user.notification"))
    assert home.json("show", id, "--json")["state"] == "running"
    assert f"perles agent resume {id} worker-1" in _of(home, "user.notification")[0]["text"]


def test_a_known_cli_is_reminded_in_the_same_session(home: Home) -> None:
    path = Path(
        program(
            home,
            "claude",
            TOOLS
            + "config = sys.argv[sys.argv.index('--mcp-config') + 1]\n"
            + TURN
            + "open('seen', 'a').write(f'{\"--resume\" in sys.argv}\\n')\n"
            "print(json.dumps({'type': 'system', 'subtype': 'init', 'session_id': 's-1'}))\n"
            "said = {'type': 'result', 'subtype': 'success', 'is_error': False}\n"
            "print(json.dumps({**said, 'result': 'done'}))\n"
            "tools = client(config)\nif number == 2:\n    " + REPORT,
        )
    )
    configure(home, claude={"executable": str(path)})

    result = home.perles("run", prompted(home, worker="claude"))

    assert result.returncode == 0, result.stderr
    assert (home.work / "seen").read_text() == "False\nTrue\n"
