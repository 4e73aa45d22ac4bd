"""`perles diff`: of one task, in colours, through a pager."""

import json
import os
import pty
import subprocess
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from perles import ControlPlane
from perles.domain.errors import NotFoundError, PerlesError
from perles.store.sqlite.driver import dbapi
from tests.integration.cli import DEADLINE, Home
from tests.integration.repositories import commit, commits, git, in_worktree


def with_receipts(home: Home, id: str, receipts: dict[str, list[str]]) -> None:
    """Keep these commits as the tasks' own, newest first, as their agents' reports do."""
    with closing(dbapi.connect(str(home.database))) as connection, connection:
        for key, ids in receipts.items():
            about = {"subject": "s", "files": [], "changed": 1, "on_branch": True}
            found = [{"id": one, **about} for one in ids]
            kept = json.dumps({"branch": "b", "base": None, "commits": found})
            connection.execute(
                "UPDATE tasks SET receipt = ? WHERE workflow_id = ? AND key = ?", (kept, id, key)
            )


@pytest.fixture
def two(plane: ControlPlane, home: Home, repo: Path) -> str:
    """A workflow with two tasks: `one` has two commits, and `other` the one between them."""
    tasks: list[dict[str, Any]] = [commits("one"), {**commits("other"), "after": ["one"]}]
    id = in_worktree(home, "--branch", "mine", run=tasks)
    tree = Path(plane.worktree(id)["path"])
    (tree / "one.txt").write_text("one\nmore\n")
    commit(tree, "one again")
    again, other, first = git(tree, "rev-list", "-3", "HEAD").split()
    with_receipts(home, id, {"one": [again, first], "other": [other]})
    return id


def test_a_task_has_its_own_commits_alone(plane: ControlPlane, home: Home, two: str) -> None:
    (Path(plane.worktree(two)["path"]) / "uncommitted.txt").write_text("x")

    one = plane.diff(two, task="one")
    other = plane.diff(two, task="other")

    assert [(file["path"], file["added"]) for file in one["files"]] == [
        ("one.txt", 1),
        ("one.txt", 1),
    ]
    assert [file["path"] for file in other["files"]] == ["other.txt"]
    assert home.perles("diff", two, "--task", "one").stdout.count("diff --git") == 2
    assert plane.diff(two, ["other.txt"], task="one")["files"] == []


def test_a_task_keeps_its_diff_when_its_worktree_is_gone(
    plane: ControlPlane, home: Home, two: str
) -> None:
    plane.merge(two)
    home.perles("worktrees", "clean", two)

    assert [file["path"] for file in plane.diff(two, task="other")["files"]] == ["other.txt"]


def test_a_task_without_commits_or_name_is_told(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    id = in_worktree(home)
    with pytest.raises(PerlesError, match="it has no receipt of commits"):
        plane.diff(id, task="one")
    with pytest.raises(NotFoundError, match="did you mean 'one'"):
        plane.diff(id, task="on")


def on_a_terminal(home: Home, *words: str, **environ: str) -> str:
    """What a person on a terminal sees of a command."""
    env = {**home.environ, "TERM": "xterm", **environ}
    ours, theirs = pty.openpty()
    with subprocess.Popen(home.argv(*words), cwd=home.work, env=env, stdout=theirs) as process:
        os.close(theirs)
        seen = b""
        while True:
            try:
                piece = os.read(ours, 65536)
            except OSError:
                break  # the last one who had it open is gone
            if not piece:
                break
            seen += piece
        os.close(ours)
        assert process.wait(timeout=DEADLINE) == 0
    return seen.decode().replace("\r\n", "\n")


def test_on_a_terminal_it_is_coloured_and_goes_through_the_pager(home: Home, repo: Path) -> None:
    id = in_worktree(home)
    pager = home.work / "pager"
    pager.write_text('#!/bin/sh\necho "LESS=$LESS"; exec cat\n')
    pager.chmod(0o755)

    shown = on_a_terminal(home, "diff", id, PERLES_PAGER=str(pager))

    assert shown.startswith("LESS=FRX\n")
    assert "\x1b[32m+one\x1b[m" in shown
    assert "\x1b[1mdiff --git a/one.txt b/one.txt\x1b[m" in shown
    plain = on_a_terminal(home, "diff", id, PERLES_PAGER="cat", NO_COLOR="1")
    assert "\x1b" not in plain
    assert "\n+one\n" in plain
    assert "+one" in on_a_terminal(home, "diff", id, PERLES_PAGER="/nowhere/pager")
