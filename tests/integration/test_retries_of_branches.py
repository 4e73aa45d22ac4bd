"""A retry goes on: in the same worktree, after the tasks that were done, in the agent's session."""

from pathlib import Path
from typing import Any

from perles import ControlPlane, WorkflowSpec
from tests.integration.cli import Home
from tests.integration.repositories import commits, git
from tests.integration.scripted_cli import configure, program

AGENT = """\
import json, os, subprocess, sys
resumed = sys.argv[1:2] == ["--resume"]
session = sys.argv[2] if resumed else "s-of-" + os.environ["PERLES_AGENT"]
sys.stdin.read()
with open(os.environ["SEEN"], "a") as file:
    file.write(f"{session} {resumed} {os.getcwd()}\\n")
print(json.dumps({"id": session, "text": "thinking"}), flush=True)
if not os.path.exists(os.environ["GO"]):
    sys.exit("cannot go on")
open("agent.txt", "w").write(session)
subprocess.run("git add -A; git commit -qm 'by the agent'", shell=True, check=True)
print(json.dumps({"id": session, "text": "done"}))
"""


def test_a_retry_keeps_worktree_finished_tasks_and_sessions(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    path = program(home, "mycli", AGENT)
    settings = {
        "type": "command", "argv": [path], "resume": [path, "--resume", "{session_id}"],
        "output": "jsonl", "paths": {"session_id": "id", "text": "text"},
        "env": {"SEEN": str(home.root / "seen"), "GO": str(home.root / "go")},
    }  # fmt: skip
    configure(home, providers={"mycli": settings})
    tasks: list[dict[str, Any]] = [
        commits("one"),
        {"key": "ask", "prompt": "Do it.", "worker": "mycli", "after": ["one"], "retries": 0},
    ]
    args = {"file": str(home.pipeline("p", tasks, workers=1))}
    spec = WorkflowSpec(template_id="pipeline", args=args, work_dir=str(repo), worktree=True)
    id = plane.create(spec)
    plane.start(id, with_engine=True)
    home.wait_for("its failure", lambda: plane.get(id)["state"] == "failed")
    first = (home.root / "seen").read_text().splitlines()
    worktree = plane.worktree(id)
    commit_of_one = git(Path(worktree["path"]), "rev-parse", "HEAD")
    (home.root / "go").touch()

    new = plane.retry(id)
    plane.start(new, with_engine=True)
    home.wait_for("its end", lambda: plane.get(new)["state"] != "running")

    shown = plane.get(new)
    assert shown["state"] == "completed", shown["reason"]
    tree = worktree["path"]
    again = (home.root / "seen").read_text().splitlines()[len(first) :]
    session, resumed, place = first[0].split()
    assert (resumed, place) == ("False", tree)
    assert again == [f"{session} True {tree}"]
    assert plane.worktree(new) == {**worktree, "id": new}
    assert {task["key"]: task["attempt"] for task in shown["tasks"]}["one"] == 1
    subjects = git(Path(tree), "log", "--format=%s", "main..HEAD").splitlines()
    assert subjects == ["by the agent", "add one"]
    assert git(Path(tree), "rev-parse", "HEAD^") == commit_of_one
    plane.merge(new)
    assert plane.clean_worktrees()["removed"][0]["workflow_id"] == new
