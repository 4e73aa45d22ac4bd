"""check: only what passes is done, whoever says so; what does not goes back to the same agent."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from perles.domain.errors import ToolError, UsageError
from perles.domain.execution import Check, Execution
from perles.executor.local.identity import identify
from perles.store.events import journal
from perles.store.schema.tasks import Task
from perles.templates.pipeline import read_pipeline
from tests.crash.world import world as world_of
from tests.integration.cli import Home
from tests.integration.review_world import ReviewWorld
from tests.integration.scripted_cli import with_tools


@pytest.fixture
def world(tmp_path: Path, migrated: Path) -> Iterator[ReviewWorld]:
    shutil.copy(migrated, tmp_path / "perles.db")
    made = ReviewWorld(tmp_path)
    yield made
    made.close()


def _reported(world: ReviewWorld, *commands: str, retries: int = 0, timeout: float = 60) -> None:
    world.create(retries=retries)
    check = Check(commands=commands, timeout=timeout)
    stored = journal.encode(Execution(program=("sh", "-e"), check=check).stored())
    world.write(lambda tx: tx.update(Task, world.task().id, execution=stored))
    world.lead("assign_task", task_id="a", worker_id="worker-1")
    _report(world)


def _report(world: ReviewWorld) -> None:
    world.call("worker-1", "report_implementation_complete", summary="it is done")


def test_what_passes_is_done(world: ReviewWorld) -> None:
    _reported(world, "test -d .", "echo fine")
    assert world.lead("mark_task_complete", task_id="a")["status"] == "done"
    (told,) = world.events("task.check_passed")
    assert (told["exit_code"], told["tail"]) == (0, ["fine"])


def test_what_does_not_pass_goes_back_to_its_worker_as_often_as_it_has_retries(
    world: ReviewWorld,
) -> None:
    _reported(world, "echo nothing is right; false; echo not this", "touch never", retries=2)
    world.told("worker-1")
    for _ in range(2):
        answer = world.lead("mark_task_complete", task_id="a")
        assert (answer["status"], answer["worker_id"]) == ("sent_back", "worker-1")
        assert world.state() == ("in_progress", {"worker-1": "addressing_feedback"})
        told = world.told("worker-1")
        assert "its check did not pass (exit 1)" in told
        assert "> nothing is right" in told
        _report(world)
    answer = world.lead("mark_task_complete", task_id="a")
    assert answer["status"] == "failed"
    assert world.state() == ("failed", {})
    assert world.task().failure == "its check did not pass: exit 1"
    assert not (world.work / "never").exists()


def test_a_worker_that_mends_it_is_done(world: ReviewWorld) -> None:
    _reported(world, "test -e mended", retries=1)
    assert world.lead("mark_task_complete", task_id="a")["status"] == "sent_back"
    (world.work / "mended").touch()
    _report(world)
    assert world.lead("mark_task_complete", task_id="a")["status"] == "done"


def test_a_check_that_takes_too_long_is_ended_with_all_it_started(world: ReviewWorld) -> None:
    _reported(world, "echo $$ > pid; sleep 60 & sleep 60", timeout=0.5)
    assert world.lead("mark_task_complete", task_id="a")["check"] == "timed out after 0.5s"
    group = (world.work / "pid").read_text().strip()
    alive = [
        entry
        for entry in Path("/proc").iterdir()
        if entry.name.isdigit() and _group(entry) == group
    ]
    assert alive == []


def _group(entry: Path) -> str:
    try:
        fields = (entry / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return ""  # it ended meanwhile
    return "" if fields[0] == "Z" else fields[2]


def test_a_check_of_an_earlier_attempt_does_not_count(world: ReviewWorld) -> None:
    _reported(world, "test -e fine", retries=1)
    world.lead("mark_task_failed", task_id="a", reason="no")
    assert world.task().status == "ready"
    (world.work / "fine").touch()
    with pytest.raises(ToolError):
        world.lead("mark_task_complete", task_id="a")


@pytest.mark.parametrize(
    ("text", "line", "said"),
    [
        ("check: ''", 5, "is empty"),
        ("check: []", 5, "needs 1 to 20"),
        ("check: [[a]]", 5, "expected text"),
        ("check: {timeout: 1m}", 5, "run is missing"),
        ("check: {run: x, timeout: 0s}", 5, "above 0"),
        ("check: {rum: x}", 5, "did you mean 'run'"),
        ("check: 'echo {{ tasks.a.output }}'", 5, "let the command read files"),
    ],
)
def test_a_wrong_check_is_refused_with_its_line(
    tmp_path: Path, text: str, line: int, said: str
) -> None:
    path = tmp_path / "p.yaml"
    path.write_text(f"name: x\ntasks:\n- key: a\n  prompt: x\n  {text}\n")
    with pytest.raises(UsageError, match=rf"p\.yaml:{line}: .*{said}"):
        read_pipeline(path)
    path.write_text("name: x\ntasks:\n- key: a\n  run: x\n  check: x\n")
    with pytest.raises(UsageError, match=r"p\.yaml:5: .*is for tasks of agents"):
        read_pipeline(path)


AGENT = """
with open("said", "a") as file:
    file.write(prompt + "\\n=====\\n")
if "did not pass" in prompt and MENDS:
    open("mended", "w").close()
tools.call("report_implementation_complete", summary="all is done and tested", exit_code=0)
"""


@pytest.mark.parametrize("mends", [True, False])
def test_an_agents_word_alone_makes_nothing_done(home: Home, mends: bool) -> None:
    with_tools(home, f"MENDS = {mends}\n{AGENT}")
    task = {
        "key": "a",
        "prompt": "Make it right.",
        "worker": "mycli",
        "check": ["echo looking", "test -e mended"],
        "retries": 2,
    }
    done = home.perles("run", home.pipeline("p", [task]))
    (shown,) = home.json("show", home.only(), "--json")["tasks"]
    said = (home.work / "said").read_text()
    assert done.returncode == (0 if mends else 1), done.stdout
    assert "check test -e mended" in home.perles("show", home.only(), "--env").stdout
    assert shown["status"] == ("done" if mends else "failed")
    assert shown["attempt"] == 1
    assert shown["assignee"] == "worker-1"
    assert said.count("its check did not pass (exit 1)") == (1 if mends else 2)
    assert "test -e mended" in said.split("=====")[0]
    assert "looking" in said
    if not mends:
        assert shown["failure"] == "its check did not pass: exit 1"
        assert shown["output_tail"] == ["looking"]


def test_a_check_that_an_engine_left_is_ended_and_run_again_once(home: Home) -> None:
    """Of a killed engine: whoever asked for the check asks the next one."""
    with_tools(home, f"MENDS = False\n{AGENT}")
    check = "echo $$ >> checks; [ -e again ] || { touch again; sleep 600; }"
    task = {"key": "a", "prompt": "Make it right.", "worker": "mycli", "check": check}
    with world_of(home) as storm:
        id = home.perles("create", home.pipeline("p", [task])).stdout.strip()
        storm.plane.request(id, "start", {})
        storm.serve()
        storm.wait_for("its check", lambda: (home.work / "again").exists())
        storm.kill_engine()
        (first,) = (home.work / "checks").read_text().split()
        assert identify(int(first)) is not None

        storm.serve()

        storm.wait_for_end(id)
        assert identify(int(first)) is None
        assert (home.work / "checks").read_text().count("\n") == 2
        assert storm.family(id) == []
        storm.stop_engine()
