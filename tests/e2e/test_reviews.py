"""The review cycle with real CLIs: claude leads, codex implements, opencode reviews."""

import subprocess
from collections.abc import Callable

import yaml

from tests.e2e import scripts
from tests.e2e.conftest import Agents
from tests.e2e.model import Asked, Reply

Scripted = Callable[..., Agents]
ABOUT = {"task_id": "one", "implementer_id": "worker-1"}


def coordinator(asked: Asked) -> Reply:
    """Two workers, a denial, an approval, a commit, the end."""
    if asked.after.endswith("create_task"):
        return Reply(call="spawn_worker", arguments={"agent_type": "implementer"})
    if asked.after.endswith("spawn_worker") and "worker-1" in asked.last:
        return Reply(call="spawn_worker", arguments={"agent_type": "reviewer"})
    if asked.after.endswith("spawn_worker"):
        arguments = {"worker_id": "worker-1", "task_id": "one"}
        return Reply(call="assign_task", arguments=arguments)
    if asked.after.endswith("mark_task_complete"):
        arguments = {"status": "success", "summary": scripts.SUMMARY}
        return Reply(call="signal_workflow_complete", arguments=arguments)
    if asked.after:
        return Reply(say="that was all for now")
    review = {**ABOUT, "reviewer_id": "worker-2", "summary": "is it tested?"}
    steps = {
        "reports on the commit of task one": ("mark_task_complete", {"task_id": "one"}),
        "reports on task one": ("assign_task_review", {**review, "review_type": "simple"}),
        "DENIED; call": ("assign_review_feedback", {**ABOUT, "feedback": "write a test"}),
        "APPROVED; call": ("approve_commit", {**ABOUT, "commit_message": "Do one"}),
    }
    for words, (call, arguments) in steps.items():
        if words in asked.last:
            return Reply(call=call, arguments=dict(arguments))
    if "goal" in asked.last:
        task = {"key": "one", "title": "One", "body": "Do the one thing."}
        return Reply(call="create_task", arguments=task)
    return Reply(say="nothing to do")


def worker(asked: Asked, commit: Callable[[], str]) -> Reply:
    """Implements, mends and commits; denies the first time, approves the second."""
    if asked.after.endswith("signal_ready"):
        return scripts.report("it is done")
    if asked.after:
        return Reply(say="reported")
    if "Review task one" in asked.last:
        verdict = "APPROVED" if "(review 2)" in asked.last else "DENIED"
        arguments = {"verdict": verdict, "comments": f"{verdict}: there is a test, or none"}
        return Reply(call="report_review_verdict", arguments=arguments)
    if "Commit your work now" in asked.last:
        done = {"summary": "committed", "exit_code": 0, "commits": [commit()]}
        return Reply(call="report_implementation_complete", arguments=done)
    if "was denied in its review" in asked.last:
        return scripts.report("now there is a test")
    if "Your task" in asked.last:
        return Reply(call="signal_ready")
    return Reply(say="nothing to do")


def test_claude_leads_codex_implements_and_opencode_reviews(scripted: Scripted) -> None:
    def git(*args: str) -> str:
        command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *args]
        done = subprocess.run(command, cwd=agents.work, check=True, capture_output=True, text=True)
        return done.stdout.strip()

    def commit() -> str:
        """What a model would have its shell do; once, however often its CLI asks."""
        (agents.work / "one").write_text("one")
        git("add", "one")
        if git("status", "--porcelain"):
            git("commit", "-q", "-m", "Do one")
        return git("rev-parse", "HEAD")

    def script(asked: Asked) -> Reply:
        if asked.has("assign_task"):
            return coordinator(asked)
        if asked.has("report_implementation_complete"):
            return worker(asked, commit)
        return scripts.everybody(asked)

    agents = scripted(script)
    agents.use("claude", "codex", "opencode")
    file = agents.root.parent / "config.yaml"
    config = yaml.safe_load(file.read_text())
    config["orchestration"]["reviewer_client"] = "opencode"
    file.write_text(yaml.safe_dump(config))

    id = agents.begin("claude", "codex")

    assert agents.ended(id) == "completed"
    team = {one["name"]: one["provider"] for one in agents.json("show", id, "--json")["agents"]}
    assert team == {"coordinator": "claude", "worker-1": "codex", "worker-2": "opencode"}
    (task,) = agents.json("tasks", id, "--json")
    assert (task["status"], task["denials"], task["verdict"]) == ("done", 1, "approved")
    assert [one["subject"] for one in task["receipt"]["commits"]] == ["Do one"]
    assert git("log", "--format=%s").splitlines() == ["Do one"]
