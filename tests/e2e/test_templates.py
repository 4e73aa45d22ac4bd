"""Templates that come with Perles, with real CLIs: cook with a denial, and a debate."""

import re
import subprocess
from collections.abc import Callable
from pathlib import Path

from perles.templates.catalog import Catalog
from tests.e2e import scripts, test_reviews
from tests.e2e.conftest import Agents
from tests.e2e.model import Asked, Reply

Scripted = Callable[..., Agents]


def _git(folder: Path, *args: str) -> str:
    command = ["git", "-c", "user.name=A", "-c", "user.email=a@example.org", *args]
    done = subprocess.run(command, cwd=folder, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def _start(agents: Agents, template: str, coordinator: str, worker: str, argument: str) -> str:
    options = ("--coordinator", coordinator, "--worker", worker, "--arg", argument)
    id = str(agents.json("create", template, *options, "--json")["id"])
    agents.serve()
    assert agents.perles("start", id).returncode == 0
    return id


def test_cook_with_claude_and_codex_mends_what_is_denied_and_commits_it(
    scripted: Scripted,
) -> None:
    def commit() -> str:
        """What a model would have its shell do; once, however often its CLI asks."""
        (folder,) = (agents.root / "worktrees").iterdir()
        (folder / "one").write_text("one")
        _git(folder, "add", "one")
        if _git(folder, "status", "--porcelain"):
            _git(folder, "commit", "-q", "-m", "Do one")
        return _git(folder, "rev-parse", "HEAD")

    def script(asked: Asked) -> Reply:
        if asked.has("assign_task"):
            if not asked.after and "made from a template" in asked.last:
                assert "One task at a time" in asked.last
                return Reply(call="spawn_worker", arguments={"agent_type": "implementer"})
            return test_reviews.coordinator(asked)
        if asked.has("report_implementation_complete"):
            return test_reviews.worker(asked, commit)
        return scripts.everybody(asked)

    agents = scripted(script)
    agents.use("claude", "codex")
    _git(agents.work, "commit", "-q", "--allow-empty", "-m", "first")
    (agents.work / "TASKS.md").write_text("- [ ] `one`: Do the one thing\n")

    id = _start(agents, "cook", "claude", "codex", "tasks=TASKS.md")

    assert agents.ended(id) == "completed"
    (task,) = agents.json("tasks", id, "--json")
    assert (task["status"], task["denials"], task["verdict"]) == ("done", 1, "approved")
    branch = agents.json("show", id, "--json")["branch"]
    assert _git(agents.work, "log", "--format=%s", branch).splitlines() == ["Do one", "first"]


class Moderator:
    """Leads a debate: completes what is reported, gives out what is ready, to who is meant."""

    def __init__(self) -> None:
        template = Catalog(user=Path("none"), project=None).get("debate")
        self.meant = {node.task.key: str(node.task.assignee) for node in template.nodes}
        self._ready: list[str] = []
        self._reported: list[str] = []
        self._done: set[str] = set()
        self._spawned = 0

    def reply(self, asked: Asked) -> Reply:
        """The next call."""
        if asked.after.endswith("signal_workflow_complete"):
            return Reply(say="that was all")
        if asked.after.endswith("mark_task_complete"):
            found = re.search(r"now_ready\W+(\[[^\]]*\])", asked.last)
            self._ready += re.findall(r"[a-z][a-z0-9-]+", found.group(1) if found else "")
        elif not asked.after and "made from a template" in asked.last and not self._spawned:
            self._ready.append("setup")
        elif not asked.after:
            told = re.findall(r"reports on task ([a-z0-9-]+)", asked.last)
            self._reported += [key for key in told if key not in self._done]
        return self._next()

    def _next(self) -> Reply:
        if self._reported:
            key = self._reported.pop(0)
            self._done.add(key)
            return Reply(call="mark_task_complete", arguments={"task_id": key})
        if self._ready:
            key = self._ready[0]
            if int(self.meant[key].removeprefix("worker-")) > self._spawned:
                self._spawned += 1
                return Reply(call="spawn_worker")
            self._ready.pop(0)
            about = {"worker_id": self.meant[key], "task_id": key}
            return Reply(call="assign_task", arguments=about)
        if len(self._done) == len(self.meant):
            end = {"status": "success", "summary": scripts.SUMMARY}
            return Reply(call="signal_workflow_complete", arguments=end)
        return Reply(say="nothing to do")


def test_a_debate_that_opencode_leads_and_gemini_speaks_in(
    scripted: Scripted,
) -> None:
    moderator = Moderator()

    def script(asked: Asked) -> Reply:
        if asked.has("assign_task"):
            return moderator.reply(asked)
        if asked.has("report_implementation_complete"):
            _write_debate(asked.last)
            if asked.after.endswith("signal_ready") and any("VOTE: FOR" in u for u in asked.users):
                return scripts.report("VOTE: FOR\nit convinces")
            return scripts.worker(asked)
        return scripts.everybody(asked)

    def _write_debate(text: str) -> None:
        """What the moderator's shell would do."""
        found = re.search(r"docs/debates/[\w.-]+\.md", text)
        if found and "Your task: setup" in text:
            path = agents.work / found.group()
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text("# A debate\n")

    agents = scripted(script)
    agents.use("opencode", "gemini")

    id = _start(agents, "debate", "opencode", "gemini", "proposition=Tabs are better")

    def has_done(count: int) -> Callable[[], bool]:
        return lambda: len(_done(agents, id)) >= count

    for count in range(1, len(moderator.meant) + 1):  # each has the time of a whole workflow
        agents.wait_for(f"{count} tasks", has_done(count))
    assert agents.ended(id) == "completed"
    tasks = {task["key"]: task for task in agents.json("tasks", id, "--json")}
    assert {task["status"] for task in tasks.values()} == {"done"}
    assert {key: task["assignee"] for key, task in tasks.items()} == moderator.meant
    assert "VOTE: FOR" in tasks["vote-2"]["report"]


def _done(agents: Agents, id: str) -> list[str]:
    tasks = agents.json("tasks", id, "--json")
    return [task["key"] for task in tasks if task["status"] == "done"]
