"""A team of small programs that implements, reviews, denies, mends, approves and commits.

Each looks at what is there before it does anything, as an agent whose turn was cut off must.
"""

import subprocess
from pathlib import Path
from typing import Any

from tests.integration.cli import Home
from tests.integration.scripted_cli import with_tools

AGENTS = '''
import subprocess

def git(*args):
    done = subprocess.run(["git", *args], check=True, capture_output=True, text=True)
    return done.stdout.strip()

def step(task):
    """The next call of the coordinator; None where it has to wait."""
    about = {"task_id": "a", "implementer_id": "worker-1"}
    if task["status"] == "ready":
        return "assign_task", {"task_id": "a", "worker_id": "worker-1"}
    if task["status"] == "in_progress" and task["reported"]:
        review = {"reviewer_id": "worker-2", "summary": "is it tested?", "review_type": "simple"}
        return "assign_task_review", {**about, **review}
    if task["status"] == "denied":
        return "assign_review_feedback", {**about, "feedback": "write test_a"}
    if task["status"] == "approved":
        return "approve_commit", {**about, "commit_message": "Do a"}
    if task["status"] == "committing" and task["reported"]:
        return "mark_task_complete", {"task_id": "a"}
    if task["status"] == "done":
        return "signal_workflow_complete", {"status": "success", "summary": "a is done"}
    return None

def lead():
    if not tools.call("list_tasks")["tasks"]:
        tools.call("create_task", key="a", title="A", body="Do a, and test it.")
    while len(tools.call("query_worker_state")["workers"]) < 2:
        tools.call("spawn_worker")
    while True:
        (task,) = tools.call("list_tasks")["tasks"]
        found = step(task)
        if found is None:
            return
        tools.call(found[0], **found[1])
        if found[0] == "signal_workflow_complete":
            return

def commit():
    if "Do a" not in git("log", "--format=%s").splitlines():
        git("add", "a", "test_a")
        git("commit", "-q", "-m", "Do a")
    id = git("log", "-1", "--format=%H")
    report = {"summary": "committed", "exit_code": 0, "commits": [id]}
    tools.call("report_implementation_complete", **report)

def review():
    if STRICT:
        tools.call("report_review_verdict", verdict="DENIED", comments="I never like it")
    elif SILENT and "without a verdict" not in prompt:
        print("it looks fine to me")
    elif os.path.exists("test_a"):
        tools.call("report_review_verdict", verdict="APPROVED", comments="it is tested")
    else:
        tools.call("report_review_verdict", verdict="DENIED", comments="there is no test_a")

def implement(name):
    open(name, "w").write(name)
    tools.call("report_implementation_complete", summary=f"wrote {name}", exit_code=0)

if os.environ["PERLES_AGENT"].startswith("coordinator"):
    lead()
elif "Review task a" in prompt or "without a verdict" in prompt:
    review()
elif "Commit your work now" in prompt:
    commit()
elif "was denied in its review" in prompt:
    implement("test_a")
else:
    implement("a")
'''


def team(home: Home, *, strict: bool = False, silent: bool = False, **orchestration: Any) -> None:
    """A work dir that is a git repository, and a provider `mycli` that is this team.

    Its reviewer denies all that it sees where it is `strict`, and forgets to decide where it is
    `silent`, until it is reminded.
    """
    for args in (
        ("init", "-q", "-b", "main"),
        ("config", "user.email", "a@example.org"),
        ("config", "user.name", "A"),
        ("commit", "-q", "--allow-empty", "-m", "first"),
    ):
        git(home.work, *args)
    with_tools(home, f"STRICT, SILENT = {strict}, {silent}\n{AGENTS}", **orchestration)


def git(folder: Path, *args: str) -> str:
    """What git prints there."""
    done = subprocess.run(["git", *args], cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def subjects(home: Home) -> list[str]:
    """The subjects of the branch's commits, newest first."""
    return git(home.work, "log", "--format=%s", "main").splitlines()
