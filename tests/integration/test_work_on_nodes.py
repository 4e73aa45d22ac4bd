"""Workflows whose turns run on two nodes, real processes in folders of their own, by git."""

import os
import signal
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from tests.integration.cli import Home
from tests.integration.nodes import start_node, stop_nodes
from tests.integration.test_replicas import git

NODES = ("box1", "box2")


class Machines:
    """A home with a repository, an engine, and two nodes."""

    def __init__(self, root: Path) -> None:
        self.home, self.root = Home(root), root
        self.engine: subprocess.Popen[str] | None = None
        settings = "cluster: {scheduler: 'tcp://127.0.0.1:1', workspace: git, node_ttl: 20s}\n"
        self.home.config_file.write_text(settings)
        work = self.home.work
        git(work, "init", "-q", "-b", "main")
        (work / ".gitignore").write_text("*.o\n*.yaml\n")
        (work / "a.txt").write_text("one\n")
        git(work, "add", ".")
        git(work, "commit", "-qm", "first")
        for name in NODES:
            start_node(root / name, name)

    def start(self) -> None:
        """Start an engine; it is up when this returns."""
        words = [f"{name}={self.root / name}" for name in NODES]
        with (self.root / "engine.out").open("ab") as output:
            self.engine = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.node_engine", *words],
                env=self.home.environ,
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
        with closing(sqlite3.connect(self.home.database)) as database:
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
    refs = git(work, "for-each-ref", "--format=%(refname)", "refs/perles/").split()
    assert {ref.split("/")[3] for ref in refs} == {"make", "use"}
    assert home.events("--type", "work.returned")


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
