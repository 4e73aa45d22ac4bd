"""list, show and events, as people and as programs read them."""

import json
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from perles.controlplane.plane import ControlPlane
from perles.store.place import open_readonly
from tests.integration.cli import DEADLINE, Home

ONE: list[dict[str, Any]] = [{"key": "a", "run": "true"}]
SLOW: list[dict[str, Any]] = [{"key": "a", "run": "sleep 100"}]
LIST_KEYS = {
    "id",
    "name",
    "template_id",
    "state",
    "priority",
    "labels",
    "work_dir",
    "workers",
    "tasks",
    "health",
    "reason",
    "tokens_used",
    "cost_usd",
    "mcp_port",
    "created_at",
    "started_at",
    "ended_at",
}
TASK_KEYS = {"key", "name", "status", "assignee", "attempt", "exit_code", "started_at", "ended_at"}
AGENT_KEYS = {"name", "role", "provider", "status", "phase", "task", "pid"}
EVENT_KEYS = ["seq", "at", "type", "workflow_id", "agent", "task", "turn", "payload"]
HEAVY = ("sqlalchemy", "alembic", "pydantic", "asyncio", "mcp", "typer", "rich", "yaml")
MODULES_OF_A_LIST = 47
MODULES_OF_A_CREATE = 185
"""Modules of Perles that a list may import: each costs its share of 30 ms."""


def _create(home: Home, name: str, *options: str) -> str:
    return home.perles("create", home.pipeline("p", ONE), "--name", name, *options).stdout.strip()


def test_list_json_has_the_promised_keys_newest_first(home: Home) -> None:
    old = _create(home, "old", "--label", "team=a", "--priority", "high")
    new = _create(home, "new")

    found = home.json("list", "--json")

    assert [row["id"] for row in found] == [new, old]
    assert set(found[0]) >= LIST_KEYS
    assert (found[1]["labels"], found[1]["priority"], found[1]["state"]) == (
        {"team": "a"},
        "high",
        "pending",
    )
    assert found[0]["tasks"] == {"total": 1, "done": 0, "failed": 0}
    assert found[0]["work_dir"] == str(home.work)


FILTERS: list[tuple[tuple[str, ...], list[str]]] = [
    ((), ["b", "a"]),
    (("--state", "pending"), ["b", "a"]),
    (("--state", "running,failed"), []),
    (("--label", "team=x"), ["a"]),
    (("--label", "team=x", "--label", "env=y"), []),
    (("--name", "B"), ["b"]),
    (("--template", "pipeline"), ["b", "a"]),
    (("--template", "cook"), []),
    (("--priority", "low"), ["b"]),
    (("--limit", "1"), ["b"]),
    (("--limit", "1", "--all"), ["b"]),
    (("--limit", "9", "--all"), ["b", "a"]),
    (("--name", "[B-Z]*"), ["b"]),
    (("--name", "b?"), []),
]


def test_list_filters(home: Home) -> None:
    _create(home, "a", "--label", "team=x")
    _create(home, "b", "--priority", "low")

    found = {options: home.json("list", "--json", *options) for options, _ in FILTERS}

    assert {options: [row["name"] for row in rows] for options, rows in found.items()} == dict(
        FILTERS
    )


def test_list_tells_on_stderr_how_many_more_there_are(home: Home) -> None:
    for name in "abc":
        _create(home, name)

    result = home.perles("list", "--limit", "2")

    assert len(result.stdout.splitlines()) == 3  # a head and two rows
    assert "1 more" in result.stderr


def test_an_empty_list_is_an_empty_array_and_a_hint(home: Home) -> None:
    assert home.json("list", "--json") == []
    assert "perles run" in home.perles("list").stderr


def test_a_workflow_is_found_by_prefix_and_by_name(home: Home) -> None:
    id = _create(home, "my flow")

    for ref in (id, id[:6], id[3:7], "my flow"):
        assert home.json("show", ref, "--json")["id"] == id


def test_show_json_has_the_promised_keys(home: Home) -> None:
    assert home.perles("run", home.pipeline("p", ONE)).returncode == 0

    shown = home.json("show", "p", "--json")

    assert set(shown) >= LIST_KEYS
    (task,) = shown["tasks"]
    assert set(task) >= TASK_KEYS
    assert (task["status"], task["exit_code"], task["attempt"]) == ("done", 0, 1)
    assert {agent["name"]: agent["role"] for agent in shown["agents"]} == {
        "coordinator": "coordinator",
        "worker-1": "worker",
    }
    assert all(set(agent) >= AGENT_KEYS for agent in shown["agents"])
    assert [(t["from"], t["to"]) for t in shown["transitions"]] == [
        ("pending", "running"),
        ("running", "completed"),
    ]


def test_events_json_is_a_line_each_in_order(home: Home) -> None:
    home.perles("run", home.pipeline("p", ONE))

    events = home.events()

    assert all(list(event) == EVENT_KEYS for event in events)
    seqs = [event["seq"] for event in events]
    assert seqs == sorted(set(seqs))
    types = [event["type"] for event in events]
    assert types.index("workflow.created") < types.index("workflow.started")
    assert types.index("task.reported") < types.index("task.completed")
    assert types.index("task.completed") < types.index("workflow.completed")


def test_events_filters_by_type_workflow_and_bounds(home: Home) -> None:
    first, second = _create(home, "one"), _create(home, "two")

    of_one = home.events("one")
    tasks = home.events("--type", "task.*")
    last = home.perles("events", "--limit", "1", "--json").stdout

    assert {event["workflow_id"] for event in of_one} == {first}
    assert {event["type"] for event in tasks} == {"task.created", "task.ready"}
    assert json.loads(last)["workflow_id"] == second
    assert home.events("--limit", "2") == home.events()[:2]
    none = home.perles("events", "--type", "task.completed")
    assert (none.returncode, none.stdout, none.stderr) == (0, "", "no events fit\n")


def test_events_follow_goes_on_as_they_come_and_ends_with_ctrl_c(home: Home) -> None:
    _create(home, "one")
    follower = home.popen("events", "--follow", "--json", "--type", "workflow.created")
    assert follower.stdout is not None
    assert json.loads(follower.stdout.readline())["payload"]["name"] == "one"

    _create(home, "two")

    assert json.loads(follower.stdout.readline())["payload"]["name"] == "two"
    follower.send_signal(signal.SIGINT)
    _, told = follower.communicate(timeout=DEADLINE)
    assert (follower.returncode, told) == (130, "")


def test_a_reader_that_goes_away_is_no_error(home: Home) -> None:
    for name in "abc":
        _create(home, name)
    listing = home.popen("events", "--since", "0", "--follow")
    assert listing.stdout is not None
    listing.stdout.readline()
    listing.stdout.close()
    _create(home, "d")
    _create(home, "e")

    assert listing.wait(DEADLINE) == 0
    assert listing.stderr is not None
    assert listing.stderr.read() == ""
    listing.stderr.close()


def test_list_watch_plain_says_what_changes_and_nothing_twice(home: Home) -> None:
    _create(home, "one")
    watching = home.popen("list", "--watch", "--plain")
    assert watching.stdout is not None
    first = watching.stdout.readline()
    _create(home, "two")
    second = watching.stdout.readline()
    home.perles("stop", "one")
    third = watching.stdout.readline()
    home.perles("archive", "one")
    fourth = watching.stdout.readline()
    watching.send_signal(signal.SIGINT)
    rest, _ = watching.communicate(timeout=DEADLINE)

    assert [line.split(" ", 2)[2] for line in (first, second, third)] == [
        "one: pending, 0 of 1 tasks done\n",
        "two: pending, 0 of 1 tasks done\n",
        "one: stopped, 0 of 1 tasks done\n",
    ]
    assert fourth.endswith("is not listed any more\n")
    assert rest == ""


@pytest.mark.parametrize(
    "argv",
    [["list"], ["list", "--json"], ["events"], ["show", "one"], ["resources"]],
)
def test_reading_imports_nothing_heavy(home: Home, argv: list[str]) -> None:
    _create(home, "one")
    script = (
        "import sys; sys.argv = ['perles', *sys.argv[1:]]\n"
        "from perles.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code == 0, end.code\n"
        f"bad = [name for name in {HEAVY!r} if name in sys.modules]\n"
        "assert not bad, bad"
    )

    result = subprocess.run(
        [sys.executable, "-c", script, *argv],
        env=home.environ,
        capture_output=True,
        text=True,
        check=False,
    )

    assert result.returncode == 0, result.stderr


@pytest.mark.parametrize("argv", [["create"], ["run", "--detach"]])
def test_beginning_a_workflow_imports_no_parser_and_asks_for_no_plugins(
    home: Home, argv: list[str]
) -> None:
    unwanted = ("typer", "asyncio", "importlib.metadata", "jinja2")
    script = (
        "import sys; from perles.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code in (0, None), end.code\n"
        f"bad = [name for name in {unwanted!r} if name in sys.modules]\n"
        "assert not bad, bad"
    )
    file = str(home.pipeline("q", ONE))

    subprocess.run(
        [sys.executable, "-c", script, *argv, file], env=home.environ, check=True, timeout=100
    )


def test_neither_the_first_command_of_a_home_nor_its_engine_imports_sqlalchemy(home: Home) -> None:
    script = (
        "import sys; from perles.cli.main import main\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code in (0, None), end.code\n"
        "assert 'sqlalchemy' not in sys.modules and 'alembic' not in sys.modules"
    )
    argv = [sys.executable, "-c", script, "run", "--detach", str(home.pipeline("q", SLOW))]

    subprocess.run(argv, env=home.environ, check=True, timeout=100)

    home.wait_for("its task", lambda: home.json("show", "q", "--json")["tasks"][0]["started_at"])
    pid = home.wait_for_engine()
    assert "sqlalchemy" not in Path(f"/proc/{pid}/maps").read_text()
    assert "perles" in Path(f"/proc/{pid}/cmdline").read_text()
    home.perles("stop", "q")


def test_sqlite3_sees_the_same_truth(home: Home) -> None:
    assert home.perles("run", home.pipeline("p", ONE)).returncode == 0
    query = "select name, state, tasks_done from workflow_overview"
    script = (
        "import sqlite3, sys; print(sqlite3.connect(sys.argv[1]).execute(sys.argv[2]).fetchall())"
    )

    result = subprocess.run(
        [sys.executable, "-c", script, str(home.database), query],
        capture_output=True,
        text=True,
        check=True,
    )

    assert result.stdout.strip() == "[('p', 'completed', 1)]"


def _imported(home: Home, *argv: str) -> list[str]:
    """What a command has imported when it ends."""
    script = (
        f"import sys; sys.argv = {['perles', *argv]!r}\n"
        "from perles.cli.main import main\n"
        "try: main()\n"
        "except SystemExit: pass\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    result = subprocess.run(
        [sys.executable, "-c", script], env=home.environ, capture_output=True, text=True, check=True
    )
    return result.stderr.split()


@pytest.mark.parametrize("argv", [["list"], ["create", "p.yaml"]])
def test_a_short_command_looks_for_no_cycles(home: Home, argv: list[str]) -> None:
    file = str(home.pipeline("p", ONE))
    words = [file if word == "p.yaml" else word for word in argv]
    script = (
        "import gc\n"
        "from perles.cli.main import main\n"
        "phases = []\n"
        "gc.callbacks.append(lambda phase, _info: phases.append(phase))\n"
        "try: main()\n"
        "except SystemExit as end: assert end.code in (0, None), end.code\n"
        "assert not phases, phases"
    )

    subprocess.run(
        [sys.executable, "-c", script, *words], env=home.environ, check=True, timeout=100
    )


def test_a_long_command_looks_for_cycles_as_python_does(home: Home) -> None:
    script = (
        "import gc\n"
        "from perles.cli.main import collect_late\n"
        "usual, callbacks = gc.get_threshold(), list(gc.callbacks)\n"
        "collect_late()\n"
        "assert gc.get_threshold() > usual\n"
        "kept = []\n"
        "while gc.get_threshold() != usual and len(kept) < 1_000_000: kept.append([])\n"
        "assert gc.get_threshold() == usual, gc.get_threshold()\n"
        "assert gc.callbacks == callbacks, gc.callbacks"
    )

    subprocess.run([sys.executable, "-c", script], env=home.environ, check=True, timeout=100)


def test_a_list_imports_the_quick_reads_and_no_more(home: Home) -> None:
    _create(home, "one")

    found = [name for name in _imported(home, "list") if name.startswith("perles")]
    facade = [name for name in found if name.startswith("perles.controlplane")]
    assert facade == ["perles.controlplane", "perles.controlplane.quick"]
    assert not [name for name in found if name.startswith(("perles.engine", "perles.agents"))]
    assert len(found) <= MODULES_OF_A_LIST, found


def test_creating_a_workflow_imports_neither_the_engine_nor_what_only_others_need(
    home: Home, tmp_path: Path
) -> None:
    file = tmp_path / "p.yaml"
    file.write_text('name: p\ntasks: [{key: a, run: "true"}]\n')
    _create(home, "the database is there")

    found = _imported(home, "create", str(file))

    facade = [name for name in found if name.startswith("perles.controlplane.")]
    assert {name.rpartition(".")[2] for name in facade} == {
        *("quick", "home_folder", "placement", "creation")
    }
    others = ("perles.engine", "perles.workspace.git", "sqlalchemy", "asyncio", "subprocess")
    assert not [name for name in found if name.startswith((*others, "secrets", "shutil"))]
    assert len([name for name in found if name.startswith("perles")]) <= MODULES_OF_A_CREATE, found


def test_who_reads_again_and_again_opens_the_database_once(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    _create(home, "one")
    opened: list[object] = []

    def counted(path: Path | str, *args: Any, **options: Any) -> Any:
        opened.append(path)
        return open_readonly(path, *args, **options)

    monkeypatch.setattr("perles.store.reads.connection.open_readonly", counted)
    plane = ControlPlane(Path(home.environ["PERLES_HOME"]))

    with plane.reads_kept_open():
        seen = {plane.last_seq() for _ in range(3)}
        assert len(seen) == len(opened) == 1
        _create(home, "two")
        assert plane.last_seq() > max(seen)
        assert len(opened) == 1

    plane.last_seq()
    assert len(opened) == 2
