"""What git shows of a task: found in the repository, whatever its configuration says."""

import subprocess
from pathlib import Path

import pytest

from perles.workspace import commits, git
from perles.workspace.commits import MAX_COMMITS, look


class Repository:
    """A git repository in a folder."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir()
        self.git("init", "-q", "-b", "main")
        self.git("config", "user.email", "a@example.org")
        self.git("config", "user.name", "A")

    def git(self, *args: str) -> str:
        """What git prints there."""
        done = subprocess.run(
            ["git", *args], cwd=self.folder, check=True, capture_output=True, text=True
        )
        return done.stdout.strip()

    def commit(self, subject: str, *files: str) -> str:
        """A commit that writes these files; its id."""
        for name in files:
            (self.folder / name).write_text(subject)
        self.git("add", "-A")
        self.git("commit", "-q", "--allow-empty", "-m", subject)
        return self.git("rev-parse", "HEAD")


@pytest.fixture
def repository(tmp_path: Path) -> Repository:
    return Repository(tmp_path / "work")


def test_the_commits_since_the_base_are_shown_newest_first(repository: Repository) -> None:
    base = repository.commit("first", "old")
    one = repository.commit("one\n\nand its body", "a", "b c", "new\nline")
    two = repository.commit("two", "a")

    found = look(repository.folder, base)

    assert found is not None
    assert (found.branch, found.head, found.more) == ("main", two, False)
    assert [(one.id, one.subject) for one in found.commits] == [(two, "two"), (one, "one")]
    assert found.commits[1].files == ["a", "b c", "new\nline"]
    assert found.commits[1].changed == 3


def test_a_look_into_a_folder_of_the_repository_shows_the_same(repository: Repository) -> None:
    (repository.folder / "inner").mkdir()
    id = repository.commit("first", "inner/a")

    found = look(repository.folder / "inner", "")

    assert found is not None
    assert [one.id for one in found.commits] == [id]


def test_a_repository_without_a_commit_has_none(repository: Repository) -> None:
    found = look(repository.folder, "", status=True)

    assert found is not None
    assert (found.head, found.branch, list(found.commits)) == ("", "main", [])
    assert found.dirty is False


def test_a_named_commit_of_another_branch_says_so(repository: Repository) -> None:
    base = repository.commit("first", "a")
    repository.git("checkout", "-q", "-b", "side")
    aside = repository.commit("aside", "b")
    repository.git("checkout", "-q", "main")

    found = look(repository.folder, base, [aside[:10], base, "0" * 40, "main", "-n", "HEAD"])

    assert found is not None
    assert [(one.id, one.on_branch) for one in found.commits] == [(aside, False)]
    assert found.earlier == [base]
    assert found.missing == ["0" * 40, "main", "-n", "HEAD"]


def test_of_many_commits_the_newest_are_shown(repository: Repository) -> None:
    base = repository.commit("first")
    stream = "".join(
        f"commit refs/heads/main\ncommitter A <a@example.org> {1_700_000_000 + n} +0000\n"
        f"data 2\nc\n{f'from {base}' if n == 0 else ''}\n"
        for n in range(MAX_COMMITS + 5)
    )
    subprocess.run(
        ["git", "fast-import", "--quiet"],
        cwd=repository.folder,
        input=stream.encode(),
        check=True,
    )

    found = look(repository.folder, base)

    assert found is not None
    assert (len(found.commits), found.more) == (MAX_COMMITS, True)


@pytest.mark.parametrize("dirty", [True, False])
def test_changes_that_are_not_committed_are_told_where_somebody_asks(
    repository: Repository, dirty: bool
) -> None:
    repository.commit("first", "a")
    if dirty:
        (repository.folder / "b").touch()

    found, asked = look(repository.folder, ""), look(repository.folder, "", status=True)

    assert found is not None
    assert asked is not None
    assert (found.dirty, asked.dirty) == (None, dirty)


def test_a_folder_without_a_repository_shows_nothing(tmp_path: Path) -> None:
    assert look(tmp_path, "", status=True) is None


def test_what_only_looks_like_a_repository_is_told(tmp_path: Path) -> None:
    (tmp_path / ".git").mkdir()

    found = look(tmp_path, "", status=True)

    assert found is not None
    assert "git cannot tell" in str(found.error)


def test_no_program_of_the_repository_is_started(repository: Repository, tmp_path: Path) -> None:
    base = repository.commit("first", "a")
    trap, sprung = tmp_path / "trap", tmp_path / "sprung"
    trap.write_text(f"#!/bin/sh\necho $0 >> {sprung}\ncat\n")
    trap.chmod(0o755)
    id = repository.commit("second", "a", ".gitattributes")
    (repository.folder / ".gitattributes").write_text("* filter=x diff=x\n")
    for key in (
        *("core.fsmonitor", "core.pager", "core.editor", "core.sshCommand", "diff.external"),
        *("gpg.program", "filter.x.clean", "filter.x.smudge", "filter.x.process"),
        *("diff.x.command", "diff.x.textconv", "core.alternateRefsCommand"),
    ):
        repository.git("config", key, str(trap))
    for key, value in (
        *(("log.showSignature", "true"), ("filter.x.required", "true")),
        *(("remote.o.url", f"ext::{trap}"), ("remote.o.promisor", "true")),
        *(("protocol.ext.allow", "always"), ("extensions.partialClone", "o")),
        ("core.hooksPath", str(tmp_path)),
    ):
        repository.git("config", key, value)
    (repository.folder / "a").write_text("not committed")

    found = look(repository.folder, base, ["12345678"], status=True)

    assert found is not None
    assert found.error is None
    assert [one.id for one in found.commits] == [id]
    assert (found.dirty, found.missing) == (True, ["12345678"])
    assert not sprung.exists()


def test_what_git_prints_and_the_time_it_takes_are_bounded(
    repository: Repository, monkeypatch: pytest.MonkeyPatch
) -> None:
    repository.commit("first", "a")
    monkeypatch.setattr(git, "MAX_BYTES", 10)
    with pytest.raises(git.GitError, match="it printed too much"):
        git.git(repository.folder, "rev-parse", "HEAD")
    monkeypatch.setattr(git, "MAX_BYTES", 1000)
    with pytest.raises(git.GitError, match="it took too long"):
        git.git(repository.folder, "rev-parse", "HEAD", seconds=0)
    monkeypatch.setattr(commits, "LOOK_SECONDS", 0.0)
    found = look(repository.folder, "")
    assert found is not None
    assert "it took too long" in str(found.error)
