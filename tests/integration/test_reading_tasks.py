"""Tasks that one can read: text, report, reviews, comments and commits, for people and programs."""

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from perles.domain.task_story import MOST_SHOWN, foremost
from tests.integration.cli import Home
from tests.integration.crew import Crew
from tests.integration.review_world import ID, ReviewWorld


@pytest.fixture
def told(home: Home, migrated: Path) -> Home:
    """A home with a workflow in which task a was denied, mended and committed; b waits for a."""
    shutil.rmtree(home.root)
    home.root.mkdir(mode=0o700)
    shutil.copy(migrated, home.database)
    world = ReviewWorld(home.root)
    world.repository()
    world.implemented()
    world.lead("create_task", key="b", title="B", body="do b\nand more", after=["a"])
    world.ask()
    world.decide("DENIED", comments="no test\nno docs")
    world.feedback(text="write them")
    world.call("worker-1", "report_implementation_complete", summary="mended", exit_code=0)
    world.ask()
    world.decide("APPROVED", comments="fine \x1b[31m")
    world.release(commit_message="Do a")
    id = world.commit("Do a", "test_a")
    report: dict[str, Any] = {"summary": "committed", "exit_code": 0, "commits": [id]}
    world.call("worker-1", "report_implementation_complete", **report)
    world.lead("mark_task_complete", task_id="a")
    world.close()
    return home


def test_a_tree_tells_all_of_each_task(told: Home) -> None:
    lines = told.perles("tasks", ID, "--tree").stdout.splitlines()

    text = "\n".join(lines)
    assert lines[0] == "a: done, worker-1"
    assert lines[1] == "  asked: do a"
    assert "worker-1 reported: it is done" in text
    assert "worker-2 DENIED (review 1):" in text
    assert "    no docs" in lines
    assert "coordinator said what to change: write them" in text
    assert "worker-2 APPROVED (review 2): fine" in text
    assert "\x1b" not in text
    assert "  committed on main:" in lines
    assert "      test_a" in lines
    at = lines.index("└─b: ready  B")
    assert lines[at + 1 :] == ["    asked:", "      do b", "      and more"]


def test_one_task_is_told_alone(told: Home) -> None:
    lines = told.perles("tasks", ID, "b").stdout.splitlines()

    assert lines[0] == "b: ready  B"
    missing = told.perles("tasks", ID, "nothing")
    assert (missing.returncode, missing.stdout) == (3, "")
    assert told.perles("tasks", "--tree").returncode == 2


@pytest.mark.parametrize("command", ["tasks", "show"])
def test_programs_read_the_same(told: Home, command: str) -> None:
    found = json.loads(told.perles(command, ID, "--json").stdout)
    tasks = found if command == "tasks" else found["tasks"]
    task = next(one for one in tasks if one["key"] == "a")

    assert task["body"] == "do a"
    assert (task["report"], task["denials"], task["verdict"]) == ("mended", 1, "approved")
    said = [(one["kind"], one["author"], one["round"]) for one in task["comments"]]
    assert ("denied", "worker-2", 1) in said
    assert ("approved", "worker-2", 2) in said
    (commit,) = task["receipt"]["commits"]
    assert (commit["subject"], commit["files"], commit["on_branch"]) == ("Do a", ["test_a"], True)
    assert task["receipt"]["branch"] == "main"
    assert next(one for one in tasks if one["key"] == "b")["receipt"] is None


def test_a_big_workflow_is_shown_in_part_and_wholly_to_programs(home: Home) -> None:
    keys = [f"t{number}" for number in range(MOST_SHOWN + 50)]
    ask = {"key": "ask", "assignee": "human", "question": "go on?"}
    path = home.pipeline("big", [*({"key": key, "run": "true"} for key in keys), ask])
    id = str(home.json("create", path, "--json")["id"])

    for words in (["show", id], ["tasks", id]):
        some, all = home.perles(*words), home.perles(*words, "--all")
        assert f"… and 51 more: perles {words[0]} {id} --all" in some.stderr.replace(
            "more tasks", "more"
        )
        assert all.stderr.count("--all") == 0
        assert _named(some.stdout, keys) == MOST_SHOWN
        assert _named(all.stdout, keys) == len(keys)
        found = home.json(*words, "--json")
        assert len(found if words[0] == "tasks" else found["tasks"]) == len(keys) + 1
    named = home.perles("tasks", id, keys[-1])
    assert named.stdout.startswith(f"{keys[-1]}: ")


def _named(text: str, keys: list[str]) -> int:
    words = {word for line in text.splitlines() for word in line.split()[:1]}
    return len(words & set(keys))


def test_what_a_person_looks_for_is_in_the_part_that_is_shown() -> None:
    tasks = [{"key": str(at), "status": "done"} for at in range(10)]
    tasks[7]["status"], tasks[8]["status"], tasks[9]["status"] = "failed", "ready", "in_progress"

    shown = [task["key"] for task in foremost(tasks, 4)]

    assert shown == ["0", "7", "8", "9"]
    assert foremost(tasks, 10) == tasks


@pytest.mark.parametrize(("times", "said"), [(0, ""), (1, "once"), (2, "2 times")])
def test_work_that_was_cut_off_and_repeated_is_told(
    home: Home, crew: Crew, times: int, said: str
) -> None:
    id = "wf-aaaaaaaa"
    worker, other = crew.agent(id, "worker-1"), crew.agent(id, "worker-2")
    crew.turn(id, worker, "lost", number=1, started_at=crew.at(minutes=8))  # of a task before
    for number in range(times):
        crew.turn(id, worker, "lost", number=2 + number, started_at=crew.at(minutes=4 - number))
    crew.turn(id, worker, "running", number=9, started_at=crew.at(minutes=1))
    crew.turn(id, other, "interrupted", started_at=crew.at(minutes=4))
    begun = {"attempt": 1, "assignee": "worker-1", "started_at": crew.at(minutes=5)}
    crew.task(id, "a", "in_progress", **begun)

    (task,) = home.json("show", id, "--json")["tasks"]
    assert (task["cut_off"], task["attempt"]) == (times, 1)
    sentence = f"cut off and repeated {said}"
    assert (sentence in home.perles("show", id).stdout) == bool(said)
    assert (sentence in home.perles("tasks", id, "a").stdout) == bool(said)
