"""Workflows whose turns run on two nodes, real processes in folders of their own, by git."""

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perles.store.reads.connection import reading
from tests.integration.cli import DEADLINE, Home
from tests.integration.nodes import start_node, stop_nodes
from tests.integration.scripted_cli import with_tools
from tests.integration.test_replicas import git

NODES = ("box1", "box2")


class Machines:
    """A home with a repository, an engine, and two nodes."""

    def __init__(self, root: Path) -> None:
        self.home, self.root = Home(root), root
        self.engine: subprocess.Popen[str] | None = None
        self.configure()
        work = self.home.work
        git(work, "init", "-q", "-b", "main")
        (work / ".gitignore").write_text("*.o\n*.yaml\nmycli\n")
        (work / "a.txt").write_text("one\n")
        git(work, "add", ".")
        git(work, "commit", "-qm", "first")
        for name in NODES:
            start_node(root / name, name)

    def configure(self) -> None:
        """Add the cluster to what the configuration says."""
        with self.home.config_file.open("a") as file:
            file.write("cluster: {scheduler: 'tcp://127.0.0.1:1', workspace: git, node_ttl: 20s}\n")

    def start(self, **environ: str) -> None:
        """Start an engine; it is up when this returns."""
        words = [f"{name}={self.root / name}" for name in NODES]
        with (self.root / "engine.out").open("ab") as output:
            self.engine = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.node_engine", *words],
                env={**self.home.environ, **environ},
                cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
                text=True,
            )
        up = ("engine", "status")
        self.home.wait_for("the engine", lambda: self._is_up(*up))

    def _is_up(self, *words: str) -> bool:
        assert self.engine is not None
        assert self.engine.poll() is None, (self.root / "engine.out").read_text()
        return self.home.perles(*words).returncode == 0

    def kill(self) -> None:
        """SIGKILL the engine."""
        assert self.engine is not None
        os.kill(self.engine.pid, signal.SIGKILL)
        self.engine.wait()

    def run(self, tasks: list[dict[str, Any]], **more: Any) -> str:
        """Start a pipeline; its id."""
        file = self.home.pipeline("flow", tasks, **more)
        made = self.home.perles("create", file)
        assert made.returncode == 0, made.stderr
        id = made.stdout.strip()
        done = self.home.perles("start", id)
        assert done.returncode == 0, done.stderr
        return id

    def ended(self, id: str) -> str:
        """The state in which it ends."""

        def look() -> str | None:
            found = self.home.json("show", id, "--json")["state"]
            return found if found in ("completed", "failed", "stopped", "paused") else None

        return str(self.home.wait_for("its end", look))

    def nodes(self) -> set[str | None]:
        """Where workers have been, None for this machine."""
        with reading(self.home.database) as database:
            assert database is not None
            rows = database.execute("SELECT DISTINCT node FROM agents WHERE role = 'worker'")
            return {row[0] for row in rows}

    def close(self) -> None:
        if self.engine is not None and self.engine.poll() is None:
            self.kill()
        stop_nodes(self.root)


@pytest.fixture
def machines(tmp_path: Path) -> Iterator[Machines]:
    made = Machines(tmp_path)
    yield made
    made.close()


def test_tasks_on_nodes_leave_their_files_here(machines: Machines) -> None:
    machines.start()
    home, work = machines.home, machines.home.work
    (work / "mine.txt").write_text("not committed\n")
    one = "pwd; cat a.txt mine.txt > b.txt; git config user.name A; git config user.email a@b"
    commit = "git add b.txt && git commit -qm made && echo obj > x.o"
    id = machines.run(
        [
            {"key": "make", "run": f"{one}; {commit}", "artifacts": ["x.o"]},
            {"key": "use", "run": "cat b.txt x.o > c.txt; echo told", "after": ["make"]},
        ]
    )

    assert machines.ended(id) == "completed", home.perles("logs", id).stdout
    assert machines.nodes() <= set(NODES)
    assert (work / "c.txt").read_text() == "one\nnot committed\nobj\n"
    assert git(work, "log", "-1", "--format=%s") == "made"
    assert "told" in home.perles("logs", id).stdout
    assert "x.o" in home.perles("artifacts", id).stdout
    assert "2 done" in home.perles("show", id, "--summary").stdout
    refs = git(work, "for-each-ref", "--format=%(refname)", "refs/perles/").split()
    assert {ref.split("/")[3] for ref in refs} == {"make", "use"}
    assert home.events("--type", "work.returned")


def test_refs_go_with_their_workflow_but_for_work_that_is_nowhere_else(machines: Machines) -> None:
    machines.start()
    home, work = machines.home, machines.home.work
    id = machines.run([{"key": "make", "run": "echo made > b.txt"}])
    assert machines.ended(id) == "completed"
    (kept,) = git(work, "for-each-ref", "--format=%(refname)", "refs/perles/").split()
    late, merged = f"refs/perles/{id}/make/998", f"refs/perles/{id}/make/999"
    who = ("-c", "user.name=A", "-c", "user.email=a@b")
    nowhere = git(work, *who, "commit-tree", "-m", "late", "-p", "HEAD", "HEAD^{tree}")
    git(work, "update-ref", late, nowhere)
    git(work, "update-ref", merged, "HEAD")

    would = home.json("rm", id, "--dry-run", "--json")
    assert (would["refs"], would["unmerged_refs"]) == (2, [late])
    assert git(work, "rev-parse", kept)
    removed = home.perles("rm", id)

    assert removed.returncode == 0, removed.stderr
    assert "removed 2 refs of work on nodes" in removed.stdout
    assert f"kept {late}: its work was merged nowhere" in removed.stdout
    left = git(work, "for-each-ref", "--format=%(refname)", "refs/perles/", "refs/perles-nodes/")
    assert left.split() == [late]


def test_a_turn_on_a_node_outlives_the_engine_and_its_work_comes_back(machines: Machines) -> None:
    machines.start()
    gate = machines.root / "gate"
    wait = f"echo began > d.txt; while [ ! -e {gate} ]; do sleep 0.05; done; echo ended >> d.txt"
    id = machines.run([{"key": "long", "run": wait}])
    there = [machines.root / name / "work" / id / "d.txt" for name in NODES]
    machines.home.wait_for("its file", lambda: any(path.exists() for path in there))

    machines.kill()
    gate.touch()
    machines.start()

    assert machines.ended(id) == "completed"
    assert (machines.home.work / "d.txt").read_text() == "began\nended\n"


BOOK = """\
def git(*words):
    os.environ |= {"GIT_AUTHOR_NAME": "A", "GIT_AUTHOR_EMAIL": "a@b",
                   "GIT_COMMITTER_NAME": "A", "GIT_COMMITTER_EMAIL": "a@b"}
    assert os.spawnvp(os.P_WAIT, "git", ["git", *words]) == 0

if os.environ["PERLES_AGENT"] == "worker-1":
    open("book.txt", "w").write("a book")
    git("add", ".")
    git("commit", "-qm", "Write the book")
    open("notes.txt", "w").write("some notes")
    tools.call("report_implementation_complete", summary="done")
elif not tools.call("list_tasks")["tasks"]:
    tools.call("create_task", key="a", title="A", body="Write a book.")
    tools.call("spawn_worker")
    tools.call("assign_task", task_id="a", worker_id="worker-1")
elif tools.call("list_tasks")["tasks"][0]["reported"]:
    assert open("book.txt").read() == "a book"
    tools.call("mark_task_complete", task_id="a")
    tools.call("signal_workflow_complete", status="success", summary="a book")
print("I did what I could")
"""


@pytest.mark.parametrize("fault", ["", "tool.after-commit:2", "tool.after-commit:4"])
def test_agents_on_nodes_call_tools_once_whatever_becomes_of_the_engine(
    machines: Machines, fault: str
) -> None:
    home = machines.home
    with_tools(home, BOOK)
    machines.configure()
    machines.start(**({"PERLES_FAULT": fault} if fault else {}))
    id = home.json("create", "a book", "--coordinator", "mycli", "--worker", "mycli", "--json")[
        "id"
    ]
    assert home.perles("start", id).returncode == 0

    if fault:
        assert machines.engine is not None
        assert machines.engine.wait(DEADLINE) == -signal.SIGKILL
        machines.start()

    assert machines.ended(id) == "completed", home.perles("logs", id).stdout
    assert (home.work / "notes.txt").read_text() == "some notes"
    assert git(home.work, "log", "-1", "--format=%s") == "Write the book"
    assert machines.nodes() <= set(NODES)
    with reading(home.database) as database:
        assert database is not None
        done = database.execute(
            "SELECT kind, count(*) FROM commands WHERE source = 'mcp' GROUP BY kind"
        ).fetchall()
        receipt = database.execute("SELECT receipt FROM tasks").fetchone()[0]
    assert {tuple(row) for row in done} == {
        (kind, 1)
        for kind in (
            "create_task",
            "spawn_worker",
            "assign_task",
            "report_implementation_complete",
            "mark_task_complete",
            "signal_workflow_complete",
        )
    }
    assert "Write the book" in receipt
    assert "I did what I could" in home.perles("logs", id).stdout


CHECKED = """\
open("book.txt", "w").write("a book")
tools.call("report_implementation_complete", summary="done")
"""


def test_a_check_runs_on_the_node_where_the_work_is(machines: Machines) -> None:
    home, where = machines.home, machines.root / "where"
    with_tools(home, CHECKED)
    machines.configure()
    machines.start()
    check = f"cat book.txt > {where}; pwd >> {where}; echo $HOME >> {where}; echo looked"
    task = {"key": "a", "prompt": "Write.", "worker": "mycli", "check": [check, "test -e book.txt"]}
    id = machines.run([task])

    assert machines.ended(id) == "completed", home.perles("logs", id).stdout
    book, *rest = where.read_text().splitlines()
    assert book.startswith("a book")
    there = {str(machines.root / name / "work" / id) for name in NODES}
    assert book.removeprefix("a book") in there
    assert rest
    (passed,) = home.events("--type", "task.check_passed")
    assert passed["payload"]["tail"] == ["looked"]
    assert (home.work / "book.txt").read_text() == "a book"
