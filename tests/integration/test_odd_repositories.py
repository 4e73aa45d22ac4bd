"""Repositories that are not plain: what can be done with them is, what cannot is refused whole."""

import subprocess
import sys
from pathlib import Path

import pytest

from perles import ControlPlane, WorkflowSpec
from perles.workspace.merging import MergeError
from tests.integration.cli import Home
from tests.integration.repositories import commit, commits, git, in_worktree, repository

LANDED = "add one"


def lands(plane: ControlPlane, id: str, repo: Path) -> None:
    """Its diff, merge and clean-up work."""
    assert [one["path"] for one in plane.diff(id)["files"]] == ["one.txt"]
    plane.merge(id)
    assert LANDED in git(repo, "log", "--format=%s", "main").splitlines()
    git(repo, "fsck", "--strict")
    assert [one["workflow_id"] for one in plane.clean_worktrees([id])["removed"]] == [id]


@pytest.mark.parametrize("branch", ["feature/login/v2", "größe/ünï", "a.b@c", "wip-#12"])
def test_a_branch_of_any_name_that_git_allows(
    plane: ControlPlane, home: Home, repo: Path, branch: str
) -> None:
    id = in_worktree(home, "--branch", branch)

    lands(plane, id, repo)


def test_a_repository_in_a_folder_with_a_strange_name(
    plane: ControlPlane, home: Home, tmp_path: Path
) -> None:
    repo = repository(tmp_path / 'it\'s a "dir" -- ä\n2')
    file = home.pipeline("p", [commits("one")])
    args = {"file": str(file)}
    spec = WorkflowSpec(template_id="pipeline", args=args, work_dir=str(repo), worktree=True)
    id = plane.create(spec)
    plane.start(id, with_engine=True)
    home.wait_for("its end", lambda: plane.get(id)["state"] == "completed")

    lands(plane, id, repo)


def test_a_sparse_checkout_stays_sparse(plane: ControlPlane, home: Home, repo: Path) -> None:
    (repo / "far").mkdir()
    (repo / "far" / "away.txt").write_text("x")
    commit(repo, "far")
    git(repo, "sparse-checkout", "set", "--cone", "near")

    id = in_worktree(home)

    lands(plane, id, repo)
    assert not (repo / "far").exists()
    assert git(repo, "show", "main:far/away.txt") == "x"


def test_submodules_are_empty_until_setup_gets_them_and_nothing_of_them_is_lost(
    plane: ControlPlane, home: Home, repo: Path, tmp_path: Path
) -> None:
    inner = repository(tmp_path / "inner")
    allow = ("-c", "protocol.file.allow=always")
    git(repo, *allow, "submodule", "add", "-q", str(inner), "sub")
    commit(repo, "a submodule")

    id = in_worktree(home, run=[commits("one", "test -d sub && test ! -e sub/shared.txt")])

    assert [one["path"] for one in plane.diff(id)["files"]] == ["one.txt"]
    plane.merge(id)
    assert LANDED in git(repo, "log", "--format=%s", "main").splitlines()
    (spared,) = plane.clean_worktrees([id])["spared"]
    assert spared["why"] == "it has submodules"
    assert plane.clean_worktrees([id], force=True)["removed"]


def test_large_files_are_pointers_and_no_filter_runs(
    plane: ControlPlane, home: Home, repo: Path, tmp_path: Path
) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 9\n"
    (repo / "big.bin").write_text(pointer)
    commit(repo, "a large file")
    (repo / ".gitattributes").write_text("*.bin filter=lfs diff=lfs merge=lfs -text\n")
    git(repo, "add", ".gitattributes")
    git(repo, "commit", "-q", "-m", "attributes")
    for key in ("clean", "smudge", "process"):
        git(repo, "config", f"filter.lfs.{key}", f"touch {tmp_path}/ran")
    git(repo, "config", "filter.lfs.required", "true")
    (tmp_path / "ran").unlink(missing_ok=True)
    id = plane.create(
        WorkflowSpec(
            template_id="pipeline",
            args={"file": str(home.pipeline("p", [{"key": "a", "run": "cp big.bin ../seen"}]))},
            work_dir=str(repo),
            worktree=True,
        )
    )
    plane.start(id, with_engine=True)
    home.wait_for("its end", lambda: plane.get(id)["state"] == "completed")

    assert (home.root / "worktrees" / "seen").read_text() == pointer
    assert plane.diff(id)["files"] == []
    assert not (tmp_path / "ran").exists()


HOOKS = (
    *("post-checkout", "pre-commit", "commit-msg", "post-commit", "pre-merge-commit"),
    *("post-merge", "pre-rebase", "post-rewrite", "reference-transaction", "pre-push"),
    *("post-index-change", "update", "pre-auto-gc", "fsmonitor-watchman"),
)


def test_no_hook_and_no_monitor_runs_in_any_step(
    plane: ControlPlane, home: Home, repo: Path, tmp_path: Path
) -> None:
    id = in_worktree(home)
    (repo / "later.txt").write_text("x")
    commit(repo, "later")
    ran = tmp_path / "ran"
    for name in HOOKS:
        hook = repo / ".git" / "hooks" / name
        hook.write_text(f"#!/bin/sh\necho {name} >> {ran}\nsleep 600\nexit 1\n")
        hook.chmod(0o755)
    git(repo, "config", "core.fsmonitor", str(repo / ".git" / "hooks" / "fsmonitor-watchman"))

    assert len(plane.diff(id)["files"]) == 1
    plane.rebase(id)
    plane.overlap()
    plane.merge(id)
    assert plane.clean_worktrees([id])["removed"]
    assert not ran.exists()


@pytest.mark.parametrize("what", ["index.lock of the worktree", "untracked file"])
def test_what_else_is_in_the_way_of_a_merge_is_told(
    plane: ControlPlane, home: Home, repo: Path, what: str
) -> None:
    id = in_worktree(home)
    (repo / "later.txt").write_text("x")
    commit(repo, "later")
    before = git(repo, "rev-parse", "main")
    if what == "untracked file":
        (repo / "one.txt").write_text("mine\n")
        with pytest.raises(MergeError, match="untracked"):
            plane.merge(id)
        assert (repo / "one.txt").read_text() == "mine\n"
        assert git(repo, "rev-parse", "main") == before
    else:
        tree = plane.worktree(id)["path"]
        Path(git(Path(tree), "rev-parse", "--git-path", "index.lock")).touch()
        with pytest.raises(MergeError, match=r"index.lock|Another git process"):
            plane.rebase(id)
        assert git(Path(tree), "status", "--porcelain") == ""


def test_a_base_that_was_pushed_anew_by_force_loses_nothing(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    (repo / "old.txt").write_text("x")
    commit(repo, "old")
    id = in_worktree(home)
    git(repo, "reset", "-q", "--hard", "HEAD^")
    (repo / "new.txt").write_text("x")
    commit(repo, "new")

    plane.merge(id)

    assert set(git(repo, "log", "--format=%s", "main").splitlines()) >= {"new", "old", LANDED}


FULL = """
import resource, signal, sys
from pathlib import Path
from perles.workspace.allocation import Wanted, WorktreeError, allocate
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
repository, path = map(Path, sys.argv[1:])
resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, 100_000))
marker = ("PERLES_WORKFLOW", "wf-x")
try:
    allocate(Wanted(repository, path, "mine", "main", copy=(), link=(), marker=marker))
except WorktreeError as error:
    sys.exit(f"refused: {error}")
"""


def test_where_files_cannot_be_written_nothing_is_left_of_a_worktree(
    repo: Path, tmp_path: Path
) -> None:
    (repo / "large").write_bytes(bytes(range(256)) * 4000)
    commit(repo, "large")
    path = tmp_path / "trees" / "one"

    done = subprocess.run(
        [sys.executable, "-c", FULL, str(repo), str(path)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=Path(__file__).parents[2],
    )

    assert done.stderr.startswith("refused: its worktree cannot be made: "), done.stderr
    assert not path.exists()
    assert git(repo, "branch", "--list", "mine") == ""
    assert len(git(repo, "worktree", "list").splitlines()) == 1
