"""A pull request is opened once, by the tool that is there, in words that are the run's."""

import json
from pathlib import Path

import pytest

from perles import ControlPlane
from perles.domain.errors import PerlesError, UsageError
from perles.workspace.hosting import RemoteError, remote_of
from tests.integration.cli import Home
from tests.integration.repositories import commit, git, in_worktree

FAKE = """#!/usr/bin/env python3
import json, os, pathlib, sys
home = pathlib.Path(__file__).parent
words, name = sys.argv[1:], pathlib.Path(__file__).name
with (home / f"{name}.calls").open("a") as file:
    file.write(json.dumps({"words": words, "env": dict(os.environ)}) + "\\n")
if (home / "logged-out").exists():
    print("To get started with GitHub CLI, please run:  gh auth login", file=sys.stderr)
    sys.exit(4)
kept = home / f"{name}.json"
opened = json.loads(kept.read_text()) if kept.exists() else []
def option(key):
    return words[words.index(key) + 1] if key in words else None
if words[1] == "list":
    branch = option("--head") or option("--source-branch")
    print(json.dumps([one for one in opened if one["branch"] == branch]))
    sys.exit()
body = sys.stdin.read() if name == "gh" else option("--description")
number = len(opened) + 1
draft, title = "--draft" in words, option("--title")
if name == "gh":
    url, branch = f"https://github.com/me/repo/pull/{number}", option("--head")
    new = {"url": url, "number": number, "title": title, "isDraft": draft}
    new["baseRefName"] = option("--base")
else:
    url, branch = f"https://gitlab.com/me/repo/-/merge_requests/{number}", option("--source-branch")
    new = {"web_url": url, "iid": number, "title": title, "draft": draft}
    new["target_branch"] = option("--target-branch")
kept.write_text(json.dumps([*opened, {**new, "branch": branch, "body": body}]))
print(f"\\nCreating pull request\\n\\n{url}")
"""


@pytest.fixture
def hosted(home: Home, repo: Path, tmp_path: Path) -> Path:
    """A remote on a host, which is pushed to in a folder; that folder."""
    bare = tmp_path / "bare.git"
    git(tmp_path, "init", "-q", "--bare", str(bare))
    git(repo, "remote", "add", "origin", "https://token:x@github.com/me/repo.git")
    git(repo, "config", "remote.origin.pushurl", str(bare))
    return bare


@pytest.fixture
def tools(tmp_path: Path, home: Home, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of programs, first in PATH, with a gh and a glab."""
    folder = tmp_path / "tools"
    folder.mkdir()
    for name in ("gh", "glab"):
        (folder / name).write_text(FAKE)
        (folder / name).chmod(0o755)
    path = f"{folder}:{home.environ['PATH']}"
    home.environ["PATH"] = path
    monkeypatch.setenv("PATH", path)
    return folder


def opened(tools: Path, name: str = "gh") -> list[dict[str, object]]:
    """What was opened so far."""
    kept = tools / f"{name}.json"
    found: list[dict[str, object]] = json.loads(kept.read_text()) if kept.exists() else []
    return found


def test_one_is_opened_once_and_shown_after_that(home: Home, hosted: Path, tools: Path) -> None:
    id = in_worktree(home, "--branch", "mine")

    first = home.perles("pr", id, "--draft", "--json")

    assert first.returncode == 0, first.stderr
    told = json.loads(first.stdout)
    (one,) = opened(tools)
    assert (told["url"], told["already"], told["pushed"]) == (one["url"], False, True)
    assert (one["baseRefName"], one["branch"], one["isDraft"]) == ("main", "mine", True)
    assert "- **one**" in str(one["body"])
    assert " add one" in str(one["body"])
    assert git(hosted, "log", "-1", "--format=%s", "mine") == "add one"
    again = home.perles("pr", id)
    assert again.stdout == f"{one['url']} is open already\n"
    assert len(opened(tools)) == 1
    shown = home.json("show", id, "--json")["worktree"]["pull_request"]
    assert (shown["url"], shown["number"], shown["tool"]) == (one["url"], 1, "gh")
    assert str(one["url"]) in home.perles("show", id).stdout
    events = [event for event in home.events() if event["type"] == "workflow.pull_request"]
    assert len(events) == 1


def test_what_was_committed_since_is_pushed_and_a_rebase_only_with_force(
    plane: ControlPlane, home: Home, repo: Path, hosted: Path, tools: Path
) -> None:
    id = in_worktree(home, "--branch", "mine")
    plane.pull_request(id)
    tree = Path(plane.worktree(id)["path"])
    (tree / "more.txt").write_text("x")
    commit(tree, "more")
    assert plane.pull_request(id)["pushed"]
    (repo / "later.txt").write_text("x")
    commit(repo, "later")
    plane.rebase(id)

    with pytest.raises(RemoteError, match="--force replaces"):
        plane.pull_request(id)
    assert plane.pull_request(id, force=True)["pushed"]

    assert git(hosted, "rev-parse", "mine") == git(repo, "rev-parse", "mine")
    assert len(opened(tools)) == 1


def test_force_replaces_nothing_that_somebody_else_pushed(
    plane: ControlPlane, home: Home, repo: Path, hosted: Path, tools: Path, tmp_path: Path
) -> None:
    id = in_worktree(home, "--branch", "mine")
    plane.pull_request(id)
    other = tmp_path / "other"
    git(tmp_path, "clone", "-q", "-b", "mine", str(hosted), str(other))
    (other / "theirs.txt").write_text("x")
    commit(other, "theirs")
    git(other, "push", "-q", "origin", "mine")
    tree = Path(plane.worktree(id)["path"])
    git(tree, "commit", "-q", "--amend", "-m", "mine anew")

    with pytest.raises(RemoteError, match="somebody else pushed there"):
        plane.pull_request(id, force=True)
    assert git(hosted, "log", "-1", "--format=%s", "mine") == "theirs"


def test_glab_opens_merge_requests(home: Home, repo: Path, hosted: Path, tools: Path) -> None:
    git(repo, "remote", "set-url", "origin", "git@gitlab.com:group/sub/repo.git")
    git(repo, "config", "remote.origin.pushurl", str(hosted))
    id = in_worktree(home, "--branch", "mine")

    done = home.perles("pr", id, "--title", "My title", "--base", "release")

    (one,) = opened(tools, "glab")
    assert done.stdout == f"{one['web_url']} opened; pushed mine\n"
    assert (one["title"], one["target_branch"]) == ("My title", "release")
    words = json.loads((tools / "glab.calls").read_text().splitlines()[-1])["words"]
    assert words[-2:] == ["--repo", "https://gitlab.com/group/sub/repo"]
    assert home.perles("pr", id).stdout == f"{one['web_url']} is open already\n"


def test_a_dry_run_shows_it_and_asks_nobody(home: Home, hosted: Path, tools: Path) -> None:
    id = in_worktree(home, "--branch", "mine")

    shown = home.perles("pr", id, "--dry-run")

    assert "would push mine to origin, and open into main:" in shown.stdout
    assert "- **one**" in shown.stdout
    assert not (tools / "gh.calls").exists()
    assert git(hosted, "branch", "--list") == ""


@pytest.mark.parametrize(
    ("what", "told"),
    [
        ("logged out", "gh.*is not logged in; run gh auth login"),
        ("no remote", "has no remote; git remote add origin URL"),
        ("uncommitted", "changes that are not committed: left.txt"),
        ("no commits", "no commit beyond where it began"),
        ("program", r"names a program \(core.sshcommand\); push it by hand"),
        ("no push", "cannot push mine: .*; push it by hand"),
    ],
)
def test_what_is_in_the_way_is_told(
    plane: ControlPlane, home: Home, repo: Path, hosted: Path, tools: Path, what: str, told: str
) -> None:
    tasks = [{"key": "a", "run": "true"}] if what == "no commits" else None
    id = in_worktree(home, "--branch", "mine", run=tasks)
    if what == "logged out":
        (tools / "logged-out").touch()
    elif what == "no remote":
        git(repo, "remote", "remove", "origin")
    elif what == "uncommitted":
        (Path(plane.worktree(id)["path"]) / "left.txt").write_text("x")
    elif what == "program":
        git(repo, "config", "core.sshCommand", f"touch {home.root}/ran;")
    elif what == "no push":
        git(repo, "config", "remote.origin.pushurl", str(hosted / "nowhere"))

    with pytest.raises(PerlesError, match=told):
        plane.pull_request(id)

    assert opened(tools) == []
    assert not (home.root / "ran").exists()


def test_a_branch_that_was_pushed_by_hand_is_not_pushed(
    plane: ControlPlane, home: Home, repo: Path, hosted: Path, tools: Path
) -> None:
    id = in_worktree(home, "--branch", "mine")
    git(repo, "push", "-q", "origin", "mine")
    git(repo, "config", "core.sshCommand", "false")

    assert not plane.pull_request(id)["pushed"]
    assert len(opened(tools)) == 1


def test_without_a_tool_it_is_said_which_to_install(
    plane: ControlPlane, home: Home, hosted: Path, tools: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = in_worktree(home, "--branch", "mine")
    (tools / "gh").unlink()

    with pytest.raises(UsageError, match=r"install gh \(https://cli.github.com\), and log in"):
        plane.pull_request(id)
    assert git(hosted, "branch", "--list") == ""


def test_the_words_of_agents_mention_nobody_and_no_secret_is_told(
    plane: ControlPlane, home: Home, repo: Path, hosted: Path, tools: Path
) -> None:
    home.environ["MY_TOKEN"] = "s3cret-value-of-mine"
    script = (
        "echo x > a; git add a; "
        "git commit -qm '@everyone <img src=x> ![i](http://x) s3cret-value-of-mine'"
    )
    run = [{"key": "a", "run": script, "env": {"MY_TOKEN": "s3cret-value-of-mine"}}]
    id = in_worktree(home, "--branch", "mine", run=run)

    plane.pull_request(id)

    body = str(opened(tools)[0]["body"])
    assert "s3cret" not in body
    assert "@everyone" not in body
    assert "<img" not in body
    assert "![i]" not in body
    calls = (tools / "gh.calls").read_text()
    assert "token:x" not in json.dumps([json.loads(c)["words"] for c in calls.splitlines()])


@pytest.mark.parametrize(
    ("url", "host", "path"),
    [
        ("https://github.com/me/repo.git", "github.com", "me/repo"),
        ("https://user:pass@Example.org:8443/a/b/c/", "example.org", "a/b/c"),
        ("git@gitlab.com:a/b.git", "gitlab.com", "a/b"),
        ("ssh://git@host:22/a/b.git", "host", "a/b"),
        ("/srv/git/repo.git", "", ""),
        ("../repo", "", ""),
        ("file:///srv/repo.git", "", ""),
    ],
)
def test_a_remote_tells_its_host(repo: Path, url: str, host: str, path: str) -> None:
    git(repo, "remote", "add", "up", url)
    assert remote_of(repo, "main", None) == ("up", host, path)


def test_the_remote_is_the_one_of_the_branch_or_its_base(repo: Path) -> None:
    for name in ("one", "two"):
        git(repo, "remote", "add", name, f"https://{name}.example/x/y")
    with pytest.raises(RemoteError, match=r"there are one, two; git config branch\.b\.remote NAME"):
        remote_of(repo, "b", "main")
    git(repo, "config", "branch.main.remote", "two")
    assert remote_of(repo, "b", "main").name == "two"
    git(repo, "config", "branch.b.pushRemote", "one")
    assert remote_of(repo, "b", "main").name == "one"
