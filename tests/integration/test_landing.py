"""What workflows changed in their worktrees is looked at, merged once, and never lost."""

import json
import random
import signal
from functools import partial
from pathlib import Path
from threading import Thread

import pytest

from perles import ControlPlane, WorkflowSpec
from perles.domain.errors import PerlesError, WrongStateError
from perles.workspace.merging import MergeError
from tests.integration.cli import DEADLINE, Home
from tests.integration.repositories import commit, commits, git


def spec(home: Home, key: str, **more: object) -> WorkflowSpec:
    file = home.pipeline(key, [commits(key)])
    given = {"work_dir": str(home.work), "args": {"file": str(file)}, "worktree": True, **more}
    return WorkflowSpec(template_id="pipeline", name=key, **given)  # type: ignore[arg-type]


def made(plane: ControlPlane, home: Home, key: str, text: str | None = "x") -> tuple[str, Path]:
    """A workflow and its worktree, as a start makes it, with one commit in it."""
    id = plane.create(spec(home, key))
    tree = Path(plane.worktree(id)["path"])
    git(home.work, "worktree", "add", "-q", "-b", plane.worktree(id)["branch"], str(tree))
    if text is not None:
        (tree / f"{key}.txt").write_text(f"{text}\n")
        commit(tree, f"add {key}")
    return id, tree


def test_a_diff_shows_what_is_committed_changed_and_new(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    id, tree = made(plane, home, "one")
    (tree / "shared.txt").write_text("changed\n")
    (tree / "new name.txt").write_text("new\n")
    (tree / "bytes").write_bytes(bytes(range(256)))
    before = git(tree, "status", "--porcelain")
    (repo / "later.txt").write_text("on main\n")
    commit(repo, "later on main")

    found = plane.diff(id)

    counts = {one["path"]: (one["added"], one["removed"]) for one in found["files"]}
    assert counts == {
        "one.txt": (1, 0),
        "shared.txt": (1, 20),
        "new name.txt": (1, 0),
        "bytes": (None, None),
    }
    assert "+changed" in found["patch"]
    assert git(tree, "status", "--porcelain") == before
    assert [one["path"] for one in plane.diff(id, ["one.txt"])["files"]] == ["one.txt"]
    stat = home.perles("diff", id, "--stat").stdout
    assert " 4 files changed, +3 -20" in stat


def test_a_diff_controls_no_terminal(plane: ControlPlane, home: Home, repo: Path) -> None:
    id, tree = made(plane, home, "one", "\x1b]0;evil\x07\x1b[2Jtext")
    (tree / "a\x1b[2Jb").write_text("")

    for options in ((), ("--stat",)):
        shown = home.perles("diff", id, *options).stdout
        assert "\x1b" not in shown
    assert "+text" in home.perles("diff", id).stdout


def test_a_diff_runs_no_program_of_the_repository(
    plane: ControlPlane, home: Home, repo: Path, tmp_path: Path
) -> None:
    id, tree = made(plane, home, "one")
    mark = tmp_path / "mark"
    for key in ("diff.external", "diff.evil.textconv", "diff.evil.command", "filter.evil.clean"):
        git(tree, "config", key, f"touch {mark}; cat")
    (tree / ".gitattributes").write_text("*.txt diff=evil filter=evil\n")
    (tree / "other.txt").write_text("y\n")

    assert len(plane.diff(id)["files"]) == 3
    assert not mark.exists()


def test_a_merge_lands_the_work_once(plane: ControlPlane, home: Home, repo: Path) -> None:
    id, _ = made(plane, home, "one")

    done = plane.merge(id)

    assert (done["already"], done["into"]) == (False, "main")
    assert (repo / "one.txt").read_text() == "x\n"
    assert git(repo, "log", "-1", "--format=%s") == f"Merge one ({id})"
    assert git(repo, "status", "--porcelain") == ""
    assert plane.merge(id)["already"]
    assert git(repo, "rev-list", "--count", "main") == "3"
    assert [event["type"] for event in home.events() if "merged" in event["type"]] == [
        "workflow.merged"
    ]
    assert plane.get(id)["worktree"]["merged"]["commit"] == git(repo, "rev-parse", "main")


def test_a_squash_is_one_commit_and_its_worktree_may_go(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    id, tree = made(plane, home, "one")
    (tree / "two.txt").write_text("x")
    commit(tree, "two")

    plane.merge(id, squash=True, message="both at once")

    assert git(repo, "log", "--format=%s") == "both at once\nfirst"
    assert plane.merge(id)["already"]
    plane.stop(id)
    assert [one["path"] for one in plane.clean_worktrees()["removed"]] == [str(tree)]


def test_a_target_that_nobody_has_checked_out_is_merged_into(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    git(repo, "branch", "release")
    id, _ = made(plane, home, "one")

    plane.merge(id, into="release")

    assert git(repo, "show", "release:one.txt") == "x"
    assert not (repo / "one.txt").exists()


@pytest.mark.parametrize("what", ["dirty target", "conflict", "uncommitted", "no target", "lock"])
def test_what_is_in_the_way_is_told_and_nothing_is_done(
    plane: ControlPlane, home: Home, repo: Path, what: str
) -> None:
    id, tree = made(plane, home, "one")
    into, told = "main", f"main is checked out in {repo}, with changes.*: shared.txt"
    if what == "dirty target":
        (repo / "shared.txt").write_text("mine\n")
    elif what == "conflict":
        (tree / "shared.txt").write_text("theirs\n")
        commit(tree, "theirs")
        (repo / "shared.txt").write_text("mine\n")
        commit(repo, "mine")
        told = "a file is in conflict: shared.txt"
    elif what == "uncommitted":
        (tree / "left.txt").write_text("x")
        told = "changes that are not committed: left.txt"
    elif what == "no target":
        into, told = "nowhere", "there is no branch 'nowhere'"
    else:
        (repo / ".git" / "index.lock").touch()
        told = "index.lock|Another git process"
    before = [git(repo, "rev-parse", "main"), git(repo, "status", "--porcelain")]

    with pytest.raises(MergeError, match=told):
        plane.merge(id, into=into)

    assert [git(repo, "rev-parse", "main"), git(repo, "status", "--porcelain")] == before
    assert plane.get(id)["worktree"]["merged"] is None


def test_a_merge_driver_of_the_repository_is_not_run(
    plane: ControlPlane, home: Home, repo: Path, tmp_path: Path
) -> None:
    id, tree = made(plane, home, "one")
    for folder, text in ((tree, "theirs"), (repo, "mine")):
        (folder / "shared.txt").write_text(f"{text}\n")
        commit(folder, text)
    git(repo, "config", "merge.evil.driver", f"touch {tmp_path}/mark")
    (repo / ".git" / "info" / "attributes").write_text("*.txt merge=evil\n")

    with pytest.raises(MergeError, match=r"in conflict: shared.txt"):
        plane.merge(id)

    assert not (tmp_path / "mark").exists()


def test_a_merge_that_is_killed_before_it_is_kept_is_merged_once(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    id, _ = made(plane, home, "one")
    home.environ["PERLES_FAULT"] = "merge.before-record:1"

    with home.popen("merge", id) as killed:
        assert killed.wait(timeout=DEADLINE) == -signal.SIGKILL
    assert plane.merge(id)["already"]
    assert git(repo, "log", "--topo-order", "--format=%s") == f"Merge one ({id})\nadd one\nfirst"


def test_merges_at_once_while_the_target_moves_lose_no_commit(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    ids = [made(plane, home, f"w{n}")[0] for n in range(4)]
    git(repo, "checkout", "-q", "--detach")
    random.shuffle(ids)

    def others() -> None:
        for n in range(10):
            old = git(repo, "rev-parse", "main")
            new = git(repo, "commit-tree", f"{old}^{{tree}}", "-p", old, "-m", f"other {n}")
            git(repo, "update-ref", "refs/heads/main", new, old, fails=True)

    threads = [Thread(target=plane.merge, args=(id,)) for id in ids] + [Thread(target=others)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    for n in range(4):
        assert git(repo, "show", f"main:w{n}.txt") == "x"
    git(repo, "fsck", "--strict")


def test_a_rebase_puts_the_commits_on_top_of_the_base(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    id, tree = made(plane, home, "one")
    git(
        tree, "commit", "-q", "--amend", "--author", "Agent <agent@example.invalid>", "-m", "a\n\nb"
    )
    (repo / "later.txt").write_text("x")
    commit(repo, "later")

    done = plane.rebase(id)

    assert done["commits"] == 1
    assert git(tree, "log", "--topo-order", "--format=%s by %an") == (
        "a by Agent\nlater by A Person\nfirst by A Person"
    )
    assert git(tree, "log", "-1", "--format=%b") == "b"
    assert (tree / "later.txt").exists()
    assert git(tree, "status", "--porcelain") == ""
    assert [one["path"] for one in plane.diff(id)["files"]] == ["one.txt"]


def test_a_rebase_in_conflict_changes_nothing(plane: ControlPlane, home: Home, repo: Path) -> None:
    id, tree = made(plane, home, "one")
    for folder, text in ((tree, "theirs"), (repo, "mine")):
        (folder / "shared.txt").write_text(f"{text}\n")
        commit(folder, text)
    before = git(tree, "rev-parse", "HEAD")

    with pytest.raises(MergeError, match=r"theirs is in conflict: shared.txt"):
        plane.rebase(id)

    assert git(tree, "rev-parse", "HEAD") == before
    assert git(tree, "status", "--porcelain") == ""


def test_overlap_names_files_that_two_workflows_changed(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    one, tree = made(plane, home, "one")
    two, other = made(plane, home, "two")
    assert plane.overlap() == []
    (tree / "shared.txt").write_text("x")
    (other / "shared.txt").write_text("y")

    (found,) = plane.overlap()

    assert (found["path"], set(found["workflows"])) == ("shared.txt", {one, two})
    assert "shared.txt" in home.perles("overlap").stdout


def test_a_workflow_without_a_worktree_has_no_diff(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    id = plane.create(spec(home, "one", worktree=None))

    with pytest.raises(PerlesError, match="--worktree makes one"):
        plane.diff(id)


def _completed(plane: ControlPlane, id: str) -> bool:
    return bool(plane.get(id)["state"] == "completed")


def test_three_workflows_side_by_side_are_merged_in_any_order(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    keys = ["a", "b", "c"]
    ids = [plane.create(spec(home, key)) for key in keys]
    for id in ids:
        plane.start(id, with_engine=True)
    for id in ids:
        home.wait_for("its end", partial(_completed, plane, id))
    tips = [git(repo, "rev-parse", plane.worktree(id)["branch"]) for id in ids]
    random.shuffle(ids)

    for id in ids:
        done = home.perles("merge", id, "--json")
        assert done.returncode == 0, done.stderr
        assert not json.loads(done.stdout)["already"]

    git(repo, "fsck", "--strict")
    for tip in tips:
        git(repo, "merge-base", "--is-ancestor", tip, "main")
    assert sorted(path.name for path in repo.glob("?.txt")) == ["a.txt", "b.txt", "c.txt"]
    for id in ids:
        assert home.perles("worktrees", "clean", id).returncode == 0


def test_a_running_workflow_is_not_rebased(plane: ControlPlane, home: Home, repo: Path) -> None:
    file = home.pipeline("long", [{"key": "wait", "run": "sleep 600"}])
    id = plane.create(spec(home, "x", args={"file": str(file)}))
    plane.start(id, with_engine=True)

    with pytest.raises(WrongStateError, match="cannot rebase"):
        plane.rebase(id)

    plane.stop(id, force=True)


def test_the_branch_of_a_run_is_shown(home: Home, repo: Path) -> None:
    run = home.perles("run", home.pipeline("p", [commits("a")]), "--branch", "mine")
    id = home.only()
    assert f"its branch: perles diff {id} · perles merge {id}" in run.stdout
    home.perles("merge", id)

    assert "mine from main, merged into main as " in home.perles("show", id).stdout
