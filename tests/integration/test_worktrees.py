"""Workflows in worktrees: made at the start, on a branch of their own, and never lost."""

import signal
from pathlib import Path

import pytest

from perles import ControlPlane, WorkflowSpec
from perles.domain.errors import CommandFailedError, UsageError
from tests.crash.world import World, world
from tests.integration.cli import DEADLINE, Home
from tests.integration.repositories import commit, commits, git, in_worktree


def spec(home: Home, **more: object) -> WorkflowSpec:
    file = home.pipeline("p", [commits("one")])
    given = {"work_dir": str(home.work), "args": {"file": str(file)}, "worktree": True}
    return WorkflowSpec(template_id="pipeline", **{**given, **more})  # type: ignore[arg-type]


def test_agents_work_on_a_branch_of_their_own(home: Home, repo: Path) -> None:
    (repo / "local").write_text("key")

    id = in_worktree(home, "--branch", "feature/one", run=[commits("one", "pwd > where.txt")])

    shown = home.json("show", id, "--json")
    tree = Path(shown["worktree"]["path"])
    assert tree.parent == home.root / "worktrees"
    assert (tree / "where.txt").read_text() == f"{tree}\n"
    assert git(repo, "log", "--format=%s", "main..feature/one") == "add one"
    assert (shown["branch"], shown["worktree"]["base_branch"]) == ("feature/one", "main")
    assert git(repo, "status", "--porcelain") == ""
    assert not (repo / "one.txt").exists()


def test_a_subfolder_is_worked_in_at_the_same_place(home: Home, repo: Path) -> None:
    (repo / "part").mkdir()
    (repo / "part" / "a").write_text("")
    commit(repo, "part")

    id = in_worktree(home, "--work-dir", "part", run=[{"key": "a", "run": "test -f a"}])

    assert home.json("show", id, "--json")["work_dir"].endswith(f"{id}/part")


def test_ignored_files_come_along_and_a_command_prepares(home: Home, repo: Path) -> None:
    (repo / "local").mkdir()
    (repo / "local" / "deep").write_text("key")
    (repo / "shared.yaml").write_text("a: b")
    wanted = {"copy": ["local"], "link": ["shared.yaml"], "setup": "echo made > made.yaml"}
    check = "test -f local/deep && test -L shared.yaml && test -f made.yaml && test ! -L local"
    file = home.pipeline("p", [{"key": "look", "run": check}], worktree=wanted)

    done = home.perles("run", file)

    assert done.returncode == 0, done.stdout
    tasks = home.json("show", home.only(), "--json")["tasks"]
    assert [(task["key"], task["after"]) for task in tasks] == [("setup", []), ("look", ["setup"])]


@pytest.mark.parametrize(
    ("options", "told"),
    [
        ({"base_branch": "nowhere"}, "cannot begin at 'nowhere'"),
        ({"base_branch": "--help"}, "cannot begin at '--help'"),
        ({"git_branch": "main"}, "'main': it is checked out in "),
        ({"git_branch": "main/x"}, "there is a branch 'main'"),
        ({"git_branch": "a..b"}, "git allows no such name"),
        ({"git_branch": "-b"}, "git allows no such name"),
        ({"worktree": False, "git_branch": "x"}, "without a worktree"),
    ],
)
def test_a_branch_that_cannot_be_is_refused_before_anything_is_written(
    plane: ControlPlane, home: Home, repo: Path, options: dict[str, object], told: str
) -> None:
    with pytest.raises(UsageError) as refused:
        plane.create(spec(home, **options))

    assert told in str(refused.value)
    assert plane.list() == []


@pytest.mark.parametrize("kind", ["empty", "bare", "none"])
def test_a_folder_of_which_no_worktree_can_be_made(
    plane: ControlPlane, home: Home, kind: str
) -> None:
    told = {"empty": "it has no commit yet", "bare": "a bare repository", "none": "not a git"}
    if kind != "none":
        git(home.work, "init", "-q", *(["--bare"] if kind == "bare" else []))

    with pytest.raises(UsageError, match=told[kind]):
        plane.create(spec(home))


def test_a_detached_head_is_a_base(home: Home, repo: Path) -> None:
    git(repo, "checkout", "-q", "--detach")

    id = in_worktree(home)

    assert home.json("show", id, "--json")["worktree"]["base_branch"] is None


def test_a_path_that_exists_fails_the_start_and_names_it(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    id = plane.create(spec(home))
    path = Path(plane.get(id)["worktree"]["path"])
    path.mkdir(parents=True)
    (path / "precious").write_text("x")

    with pytest.raises(CommandFailedError) as refused:
        plane.start(id, with_engine=True)

    assert f"{path} exists and is no worktree of" in str(refused.value)
    assert plane.get(id)["state"] == "failed"
    assert (path / "precious").exists()
    assert git(repo, "branch", "--list", "perles-workflow-*") == ""


def test_no_program_of_the_repository_is_started(home: Home, repo: Path) -> None:
    marks = home.root.parent / "marks"
    hook = repo / ".git" / "hooks" / "post-checkout"
    hook.write_text(f"#!/bin/sh\ntouch {marks}; sleep 600\n")
    hook.chmod(0o755)
    git(repo, "config", "core.fsmonitor", f"touch {marks}; false")
    git(repo, "config", "filter.evil.smudge", f"touch {marks}; cat")
    (repo / ".git" / "info" / "attributes").write_text("*.txt filter=evil\n")

    in_worktree(home, run=[{"key": "a", "run": "test -f shared.txt"}])

    assert not marks.exists()


def test_a_retry_goes_on_in_the_same_worktree(plane: ControlPlane, home: Home, repo: Path) -> None:
    tasks = [commits("one"), {"key": "two", "run": "test -f ../go", "after": ["one"]}]
    done = home.perles("run", home.pipeline("p", tasks), "--worktree")
    assert done.returncode == 1
    (home.root / "worktrees" / "go").touch()
    before = home.json("show", home.only(), "--json")["worktree"]

    new = plane.retry(home.only())
    plane.start(new, with_engine=True)

    home.wait_for("its end", lambda: plane.get(new)["state"] == "completed")
    assert home.json("show", new, "--json")["worktree"] == before
    assert git(repo, "rev-list", "--count", f"main..{before['branch']}") == "1"


def test_work_that_is_nowhere_else_is_never_removed(home: Home, repo: Path) -> None:
    clean = in_worktree(home, run=[{"key": "a", "run": "true"}])
    unmerged = in_worktree(home)
    dirty = in_worktree(home, run=[{"key": "a", "run": "echo new > new.txt"}])

    done = home.json("worktrees", "clean", "--json")

    assert [one["workflow_id"] for one in done["removed"]] == [clean]
    why = {one["workflow_id"]: one["why"] for one in done["spared"]}
    assert "1 commit of perles-workflow-" in why[unmerged]
    assert why[dirty] == "it has changes that are not committed: new.txt"
    listed = home.json("worktrees", "list", "--json")
    assert {one["id"]: one["uncommitted"] for one in listed} == {unmerged: [], dirty: ["new.txt"]}
    assert home.perles("worktrees", "clean", "--force").returncode == 0
    assert len(home.json("worktrees", "list", "--json")) == 2
    assert home.perles("worktrees", "clean", dirty).returncode == 1
    forced = home.perles("worktrees", "clean", dirty, "--force")
    assert f"its branch perles-workflow-{dirty.removeprefix('wf-')} stays" in forced.stdout
    assert [one["id"] for one in home.json("worktrees", "list", "--json")] == [unmerged]


def test_a_summary_has_the_commits_of_commands_and_says_where_they_are(
    home: Home, repo: Path
) -> None:
    id = in_worktree(home, "--branch", "mine")
    session = Path(home.json("show", id, "--json")["session_dir"])
    tree = home.json("show", id, "--json")["worktree"]["path"]

    shown = home.perles("show", id, "--summary").stdout

    assert "- 1 commit on mine, 1 file\n" in shown
    assert f"- branch mine of {repo}; its worktree: {tree}\n" in shown
    home.perles("merge", id)
    assert home.perles("worktrees", "clean", id).returncode == 0
    for text in ((session / "README.md").read_text(), home.perles("show", id, "--summary").stdout):
        assert "- 1 commit on mine, 1 file\n" in text
        assert f"- branch mine of {repo}; its worktree was removed\n" in text
    assert "(removed; its branch stays)" in home.perles("show", id).stdout


def test_the_summary_of_commands_in_a_folder_does_not_count_commits(home: Home) -> None:
    home.perles("run", home.pipeline("p", [{"key": "a", "run": "true"}]))

    assert "commit" not in home.perles("show", home.only(), "--summary").stdout


def test_a_worktree_waits_for_room_on_the_disk(plane: ControlPlane, home: Home, repo: Path) -> None:
    home.config_file.write_text("worktrees: {max_bytes: 1}\n")
    old = in_worktree(home, run=[{"key": "a", "run": "true"}])

    id = plane.create(spec(home))
    plane.start(id, with_engine=True)

    shown = plane.get(id)
    assert shown["state"] == "pending"
    assert "perles worktrees clean makes room" in shown["reason"]
    assert home.perles("worktrees", "clean", old).returncode == 0
    home.wait_for("its end", lambda: plane.get(id)["state"] == "completed")


@pytest.mark.parametrize("point", ["worktree.before-make", "worktree.after-make", "by-half"])
def test_an_engine_that_dies_while_it_makes_a_worktree(home: Home, repo: Path, point: str) -> None:
    with world(home) as storm:
        id = storm.plane.create(spec(home))
        storm.plane.request(id, "start", {})
        fault = "worktree.before-make" if point == "by-half" else point

        assert storm.serve(fault=f"{fault}:1").wait(timeout=DEADLINE) == -signal.SIGKILL

        if point == "by-half":
            _make_by_half(repo, storm, id)
        storm.serve()
        storm.wait_for_end(id)
    branch = f"perles-workflow-{id.removeprefix('wf-')}"
    assert git(repo, "log", "--format=%s", f"main..{branch}") == "add one"
    assert len(git(repo, "worktree", "list").splitlines()) == 2


def _make_by_half(repo: Path, storm: World, id: str) -> None:
    """As a git that was killed while it wrote the files leaves it."""
    path = storm.plane.get(id)["worktree"]["path"]
    git(repo, "worktree", "add", "-q", "-b", f"perles-workflow-{id.removeprefix('wf-')}", path)
    (Path(path) / "shared.txt").unlink()
    git_dir = repo / ".git" / "worktrees" / Path(path).name
    (git_dir / "locked").write_text("initializing")
    (git_dir / "index").unlink()


def test_a_worktree_that_an_agent_untied_from_its_repository_keeps_its_work(
    plane: ControlPlane, home: Home, repo: Path
) -> None:
    tasks = [{"key": "one", "run": "echo x > precious.txt; rm .git; test -f ../go"}]
    home.perles("run", home.pipeline("p", tasks), "--worktree")
    tree = Path(plane.worktree(home.only())["path"])
    (home.root / "worktrees" / "go").touch()

    new = plane.retry(home.only())
    plane.start(new, with_engine=True)

    home.wait_for("its end", lambda: plane.get(new)["state"] == "completed")
    assert (tree / "precious.txt").read_text() == "x\n"
    assert git(repo, "worktree", "list").count("\n") == 1
