"""Whatever is killed and when: the target has each commit once, and nothing is half done."""

import random
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from perles import ControlPlane, WorkflowSpec
from perles.domain.errors import PerlesError
from perles.workspace.merging import MergeError
from tests.crash.world import World, world
from tests.integration.cli import DEADLINE, Home
from tests.integration.repositories import commit, commits, git

POINTS = (
    *("begin.after-commit", "spawn.after", "output.before-commit", "outcome.before-commit"),
    *("worktree.after-make", "end.before-commit"),
)


def two_tasks(home: Home, storm: World) -> str:
    """A workflow in a worktree, whose two tasks commit; asked to start."""
    one, two = (commits(key, "echo begins") for key in ("one", "two"))
    tasks: list[dict[str, Any]] = [one, {**two, "after": ["one"]}]
    args = {"file": str(home.pipeline("two", tasks))}
    spec = WorkflowSpec(
        template_id="pipeline", args=args, work_dir=str(home.work), worktree=True, git_branch="mine"
    )
    id = storm.plane.create(spec)
    storm.plane.request(id, "start", {})
    return id


@pytest.mark.parametrize("point", POINTS)
def test_the_target_has_both_commits_once_whenever_the_engine_was_killed(
    home: Home, repo: Path, point: str
) -> None:
    with world(home) as storm:
        id = two_tasks(home, storm)
        assert storm.serve(fault=f"{point}:1").wait(timeout=DEADLINE) == -signal.SIGKILL
        storm.serve()
        storm.wait_for_end(id)

        storm.plane.merge(id)

    subjects = git(repo, "log", "--no-merges", "--format=%s", "main").splitlines()
    assert sorted(subjects) == ["add one", "add two", "first"]
    git(repo, "fsck", "--strict")


def _merged(plane: ControlPlane, id: str) -> bool:
    """Merge; False while a git that was left of a killed merge is still at it."""
    try:
        plane.merge(id)
    except MergeError as error:
        if "index.lock" not in str(error) and "Another git process" not in str(error):
            raise
        return False
    return True


def test_merges_that_are_killed_at_any_moment_land_once(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    chance = random.Random(20)
    ids, tips = [], []
    for key in ("a", "b", "c"):
        file = home.pipeline(key, [commits(key)], merge={"checks": ["sleep 0.05"]})
        args = {"file": str(file)}
        id = plane.create(
            WorkflowSpec(template_id="pipeline", args=args, work_dir=str(repo), worktree=True)
        )
        tree = Path(plane.worktree(id)["path"])
        git(repo, "worktree", "add", "-q", "-b", plane.worktree(id)["branch"], str(tree))
        (tree / f"{key}.txt").write_text(key)
        commit(tree, f"add {key}")
        ids.append(id)
        tips.append(git(tree, "rev-parse", "HEAD"))
    chance.shuffle(ids)

    for id in ids:
        for _ in range(2):
            with home.popen("merge", id) as killed:
                time.sleep(chance.uniform(0.2, 2.5))  # no race is waited out: any moment will do
                killed.kill()
                killed.wait(timeout=DEADLINE)
            git(repo, "rev-parse", "--verify", "main")
        home.wait_for("the merge", partial(_merged, plane, id))

    subjects = git(repo, "log", "--format=%s", "main").splitlines()
    assert sorted(one for one in subjects if one.startswith("add")) == ["add a", "add b", "add c"]
    assert len([one for one in subjects if one.startswith("Merge")]) == 3
    for tip in tips:
        git(repo, "merge-base", "--is-ancestor", tip, "main")
    git(repo, "fsck", "--strict")
    assert git(repo, "status", "--porcelain", "--untracked-files=no") == ""
    assert list((home.root / "worktrees").glob(".checks-*")) == []
    assert all(plane.get(id)["worktree"]["merged"] for id in ids)


def test_a_second_merge_at_once_waits_and_says_that_it_is_merged(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    file = home.pipeline("p", [commits("one")], merge={"checks": ["sleep 1"]})
    args = {"file": str(file)}
    id = plane.create(
        WorkflowSpec(template_id="pipeline", args=args, work_dir=str(repo), worktree=True)
    )
    tree = Path(plane.worktree(id)["path"])
    git(repo, "worktree", "add", "-q", "-b", plane.worktree(id)["branch"], str(tree))
    (tree / "one.txt").write_text("x")
    commit(tree, "add one")

    both = [home.popen("merge", id, "--json") for _ in range(2)]
    said = [process.communicate(timeout=DEADLINE)[0] for process in both]

    assert [process.returncode for process in both] == [0, 0]
    assert sorted('"already": true' in one for one in said) == [False, True]
    assert git(repo, "rev-list", "--count", "main") == "3"
    with pytest.raises(PerlesError):
        plane.merge("wf-none")
