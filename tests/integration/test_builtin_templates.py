"""The templates that come with Perles run to their end, denials and the person's step included."""

import re
from typing import Any

import pytest

from perles.controlplane.plane import ControlPlane
from perles.domain.specs import WorkflowSpec
from tests.integration.cli import DEADLINE, Home
from tests.integration.review_agents import git
from tests.integration.template_agents import crew, repository, told

TASKS = """\
# To do

1. [ ] `parser`: Accept empty lists
   In parser.py. It is done when the tests pass.
2. [x] Done already
3. [ ] `docs`: Tell of it
"""


def _tasks(home: Home) -> dict[str, dict[str, Any]]:
    return {one["key"]: one for one in home.json("tasks", home.only(), "--json")}


def test_cook_works_off_a_list_in_a_worktree_with_a_denial_and_a_commit_for_each(
    home: Home,
) -> None:
    repository(home)
    crew(home, one_at_a_time=True, makes=True)
    (home.work / "TASKS.md").write_text(TASKS)

    ran = home.perles("run", "cook", "--arg", "tasks=TASKS.md")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    tasks = _tasks(home)
    assert list(tasks) == ["parser", "docs"]
    assert {(t["status"], t["denials"], t["verdict"]) for t in tasks.values()} == {
        ("done", 1, "approved")
    }
    shown = home.json("show", home.only(), "--json")
    assert [task["after"] for task in shown["tasks"]] == [[], ["parser"]]
    assert shown["name"] == "Cook: TASKS"
    subjects = git(home.work, "log", "--format=%s", shown["branch"]).splitlines()
    assert subjects == ["docs: done", "parser: done", "first"]
    assert git(home.work, "log", "--format=%s", "main") == "first"
    assert "Accept empty lists" in told(home, "worker-1", "task-parser")
    assert "In parser.py." in told(home, "worker-1", "task-parser")
    assert "One task at a time" in told(home, "coordinator", "lead")


def test_cook_makes_the_tasks_of_a_goal_itself(home: Home) -> None:
    crew(home, one_at_a_time=True, plan=(("a", []), ("b", ["a"])))

    ran = home.perles("run", "cook", "--arg", "goal=Make it quick")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    tasks = _tasks(home)
    assert [(key, tasks[key]["denials"]) for key in tasks] == [("a", 1), ("b", 1)]
    assert "Make it quick" in told(home, "coordinator", "lead")


@pytest.mark.parametrize("form", ["md", "json", "jsonl"])
def test_tasks_that_are_exported_can_be_cooked_again(home: Home, form: str) -> None:
    crew(home)
    (home.work / "TASKS.md").write_text(TASKS)
    first = home.perles("create", "cook", "--arg", "tasks=TASKS.md").stdout.strip()

    printed = home.perles("tasks", first, "--export", form)
    (home.work / "again").write_text(printed.stdout)
    second = home.perles("create", "cook", "--arg", "tasks=again").stdout.strip()

    assert printed.returncode == 0, printed.stderr
    told = [
        [(t["key"], t["name"], t["after"], t["body"], t["review"]) for t in shown["tasks"]]
        for shown in (home.json("show", id, "--json") for id in (first, second))
    ]
    assert told[0] == told[1]
    assert told[0][0][3] == "Accept empty lists\n\nIn parser.py. It is done when the tests pass."


def test_a_workflow_of_cook_is_created_by_a_program(home: Home) -> None:
    crew(home)
    (home.work / "TASKS.md").write_text(TASKS)
    plane = ControlPlane(home.root, config_file=home.config_file)
    work_dir = str(home.work)

    listed = plane.create(
        WorkflowSpec(template_id="cook", args={"tasks": f"{work_dir}/TASKS.md"}, work_dir=work_dir)
    )
    wanted = plane.create(WorkflowSpec(template_id="cook", goal="Make it quick", work_dir=work_dir))

    assert [task["key"] for task in plane.get(listed)["tasks"]] == ["parser", "docs"]
    assert plane.get(wanted)["name"] == "Cook: Make it quick"


def test_cook_wants_something_to_do(home: Home) -> None:
    crew(home)

    nothing = home.perles("create", "cook")
    missing = home.perles("create", "cook", "--arg", "tasks=nope.md")

    assert (nothing.returncode, missing.returncode) == (2, 2)
    assert "--arg tasks=… or --arg goal=… or --arg epic_id=…" in nothing.stderr
    assert "no such file" in missing.stderr


def test_quick_plan_writes_a_proposal_and_tasks(home: Home) -> None:
    crew(home)

    ran = home.perles("run", "quick-plan", "--arg", "goal=Let users log in")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    made = sorted(path.name[11:] for path in (home.work / "docs" / "proposals").iterdir())
    assert made == [
        "quick-plan-let-users-log-in-proposal.md",
        "quick-plan-let-users-log-in-tasks.yaml",
    ]
    tasks = _tasks(home)
    assert {key: tasks[key]["denials"] for key in tasks} == {
        "proposal": 1,
        "tasks": 1,
        "summary": 0,
    }
    assert tasks["summary"]["assignee"] == tasks["proposal"]["assignee"] == "worker-1"
    assert "Let users log in" in told(home, "worker-1", "task-proposal")
    assert "You are a researcher" in told(home, "worker-1", "task-proposal")


def test_research_proposal_waits_for_the_person_in_the_middle(home: Home) -> None:
    crew(home)
    run = home.popen("run", "research-proposal", "--arg", "goal=Move sessions")
    waits = home.wait_for(
        "the question",
        lambda: [
            t for t in home.json("tasks", "--waiting", "--json") if t["key"] == "clarification"
        ],
    )

    home.perles("approve", waits[0]["workflow_id"], "clarification", "-m", "leave Redis out")

    output, errors = run.communicate(timeout=DEADLINE)
    assert run.returncode == 0, output + errors
    (folder,) = (home.work / "docs" / "proposals").iterdir()
    assert sorted(path.name for path in folder.iterdir()) == [
        "architecture.md",
        "proposal.md",
        "research.md",
        "risks.md",
    ]
    assert re.search(
        r"research\.md, \S+architecture\.md and", waits[0]["question"].replace("\n", " ")
    )
    assert "leave Redis out" in told(home, "worker-2", "task-cross-architecture")
    assert "cross-risks it is" in told(home, "worker-4", "task-synthesis")
    assert _tasks(home)["synthesis"]["denials"] == 1


def test_research_to_tasks_makes_tasks_of_a_document(home: Home) -> None:
    crew(home)
    (home.work / "login.md").write_text("Build a login.")

    ran = home.perles("run", "research-to-tasks", "--arg", "research_path=login.md")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    made = sorted(path.name[11:] for path in (home.work / "docs" / "proposals").iterdir())
    assert made == ["research-to-tasks-login-plan.md", "research-to-tasks-login-tasks.yaml"]
    assert str(home.work / "login.md") in told(home, "worker-1", "task-breakdown")
    assert "tests it is" in told(home, "worker-1", "task-summary")
    assert {key: t["denials"] for key, t in _tasks(home).items()} == {
        "breakdown": 1,
        "tests": 0,
        "summary": 1,
    }


VOTES = {"vote-1": "VOTE: FOR\nit is", "vote-2": "VOTE: AGAINST\nno", "vote-3": "VOTE: FOR\nyes"}


@pytest.mark.parametrize("leader", ["mycli", "builtin"])
def test_debate_ends_with_votes_of_those_who_took_no_part(home: Home, leader: str) -> None:
    crew(home, says=VOTES)

    options = ("--arg", "proposition=Tabs are better", "--coordinator", leader)
    ran = home.perles("run", "debate", *options, "--worker", "mycli")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    tasks = _tasks(home)
    who = {key: task["assignee"] for key, task in tasks.items()}
    assert who["opening-for"] == who["closing-for"] == "worker-2"
    assert who["opening-against"] == who["closing-against"] == "worker-3"
    voters = {who[f"vote-{number}"] for number in (1, 2, 3)}
    assert voters == {"worker-5", "worker-6", "worker-7"}
    verdict = told(home, "worker-1", "task-verdict")
    assert all(vote in verdict for vote in VOTES.values())
    assert "You took no part" in told(home, "worker-6", "task-vote-2")


def test_mediated_investigation_ends_with_a_plan(home: Home) -> None:
    crew(home)

    ran = home.perles("run", "mediated-investigation", "--arg", "problem=It is slow")

    assert ran.returncode == 0, ran.stdout + ran.stderr
    made = sorted(path.name[11:] for path in (home.work / "docs" / "investigations").iterdir())
    assert [name.rpartition("-")[2] for name in made] == ["findings.md", "outline.md", "plan.md"]
    tasks = _tasks(home)
    assert (tasks["answer"]["denials"], tasks["plan"]["denials"]) == (1, 1)
    assert "There are three gates." in told(home, "coordinator", "lead")
    assert "It is slow" in told(home, "worker-1", "task-outline")
    assert "validation it is" in told(home, "worker-1", "task-plan")
