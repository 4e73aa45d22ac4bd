"""The checks of a pipeline decide whether its branch is merged; what they leave is nothing."""

import signal
from pathlib import Path

import pytest

from perles import ControlPlane, WorkflowSpec
from perles.domain.errors import UsageError
from perles.workspace.merging import CheckFailedError, MergeError
from tests.integration.cli import DEADLINE, Home
from tests.integration.repositories import commit, commits, git


def made(plane: ControlPlane, home: Home, *checks: str, **more: object) -> tuple[str, Path]:
    """A workflow whose merges have these checks, and its worktree with a commit."""
    key = {"merge": {"checks": list(checks), **more}} if checks else {}
    file = home.pipeline("p", [commits("one")], worktree={"copy": ["local"]}, **key)
    args = {"file": str(file)}
    id = plane.create(WorkflowSpec(template_id="pipeline", work_dir=str(home.work), args=args))
    tree = Path(plane.worktree(id)["path"])
    git(home.work, "worktree", "add", "-q", "-b", plane.worktree(id)["branch"], str(tree))
    (tree / "one.txt").write_text("x\n")
    return id, commit(tree, "add one")


def nothing_is_left(home: Home) -> None:
    """No checkout of checks, neither as a folder nor for git."""
    assert list((home.root / "worktrees").glob(".checks-*")) == []
    assert ".checks-" not in git(home.work, "worktree", "list")


def moving(repo: Path) -> str:
    """A command that puts a commit on main."""
    made = f"git -C {repo} commit-tree 'main^{{tree}}' -p main -m other"
    return f"git -C {repo} update-ref refs/heads/main $({made})"


def test_checks_see_the_result_and_what_git_ignores(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    (repo / "local").write_text("key")
    look = 'grep -q key local && test -f one.txt && test -f later.txt && test -z "${GIT_DIR-}"'
    id, _ = made(plane, home, look, f"test $PWD != {repo}")
    (repo / "later.txt").write_text("x")
    commit(repo, "later on main")
    told: list[str] = []

    done = plane.merge(id, tell=told.append)

    assert done["checks"] == told == [look, f"test $PWD != {repo}"]
    assert (repo / "one.txt").exists()
    nothing_is_left(home)


def test_a_check_that_fails_refuses_the_merge_with_its_output(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    id, _ = made(plane, home, "true", "echo first; false | cat; echo not reached", "touch never")
    before = git(repo, "rev-parse", "main")

    refused = home.perles("merge", id)

    assert refused.returncode == 1
    assert refused.stderr.splitlines()[-2] == "  first"
    assert "false | cat; echo not reached' ended with exit 1" in refused.stderr
    assert git(repo, "rev-parse", "main") == before
    assert git(repo, "status", "--porcelain") == ""
    nothing_is_left(home)
    assert home.perles("merge", id, "--no-checks").returncode == 0


def test_a_check_that_hangs_is_ended(plane: ControlPlane, home: Home, repo: Path) -> None:
    id, _ = made(plane, home, "echo begun; sleep 600", timeout="1s")

    with pytest.raises(CheckFailedError, match="was not done after 1s") as refused:
        plane.merge(id)

    assert refused.value.output == "begun"
    nothing_is_left(home)


def test_a_check_that_writes_into_its_checkout_changes_nothing(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    id, _ = made(plane, home, "echo y > shared.txt; git commit -qam evil; chmod 0 .")

    plane.merge(id)

    assert "evil" not in git(repo, "log", "--format=%s", "main")
    nothing_is_left(home)


def test_what_comes_to_the_target_meanwhile_is_checked_too(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    mark = home.root / "moved"
    id, _ = made(plane, home, f"test -e {mark} || {{ touch {mark}; {moving(repo)}; }}")
    git(repo, "checkout", "-q", "--detach")
    told: list[str] = []

    plane.merge(id, tell=told.append)

    assert len(told) == 2
    assert "other" in git(repo, "log", "--format=%s", "main")
    assert git(repo, "show", "main:one.txt") == "x"


def test_a_target_that_always_moves_is_given_up(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    id, _ = made(plane, home, moving(repo))
    git(repo, "checkout", "-q", "--detach")

    with pytest.raises(MergeError, match="main moved while the merge was checked; try again"):
        plane.merge(id)
    assert git(repo, "ls-tree", "main", "one.txt") == ""


def test_a_dirty_target_is_told_before_checks_run(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    id, _ = made(plane, home, f"touch {home.root}/ran")
    (repo / "shared.txt").write_text("mine\n")

    with pytest.raises(MergeError, match="changes that are not committed"):
        plane.merge(id)
    assert not (home.root / "ran").exists()


@pytest.mark.parametrize("point", ["merge.before-checks", "merge.after-checks", "in-checks"])
def test_a_merge_that_is_killed_is_merged_once_afterwards(
    plane: ControlPlane, home: Home, repo: Path, point: str
) -> None:
    kills = f"[ -e {home.root}/again ] || {{ touch {home.root}/again; kill -9 $PPID; }}"
    id, _ = made(plane, home, kills if point == "in-checks" else "true")
    if point != "in-checks":
        home.environ["PERLES_FAULT"] = f"{point}:1"

    with home.popen("merge", id) as killed:
        assert killed.wait(timeout=DEADLINE) == -signal.SIGKILL
    assert git(repo, "log", "-1", "--format=%s") == "first"

    assert not plane.merge(id)["already"]
    assert plane.merge(id)["already"]
    assert git(repo, "rev-list", "--count", "main") == "3"
    nothing_is_left(home)


@pytest.mark.parametrize(
    ("key", "told"),
    [
        ({"checks": []}, "needs 1 to 20 commands"),
        ({"timeout": "1m"}, "checks are missing"),
        ({"checks": ["true"], "timeout": "0s"}, "must be above 0"),
        ({"check": ["true"]}, "checks"),
    ],
)
def test_checks_that_cannot_be_are_refused(
    plane: ControlPlane, home: Home, repo: Path, key: dict[str, object], told: str
) -> None:
    file = home.pipeline("p", [commits("one")], worktree=True, merge=key)
    with pytest.raises(UsageError, match=told):
        plane.create(WorkflowSpec(template_id="pipeline", args={"file": str(file)}))
