"""What git sees by a copy of the index is what it sees by the index itself."""

import os
from pathlib import Path

import pytest

from perles.workspace.changes import View, patch
from perles.workspace.replica import snapshot
from tests.integration.test_replicas import WHO, git

SECOND = 1_000_000_000
"""A second of long ago, in which all was written."""


def _at(path: Path, part: float) -> None:
    os.utime(path, (SECOND + part, SECOND + part))


@pytest.fixture
def changed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository in which a file of one size changed in the second in which it was added."""
    for name, value in WHO.items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "repo"
    folder.mkdir()
    git(folder, "init", "-q", ".")
    # The time of a file's inode cannot be set; within a second it is the same, too.
    git(folder, "config", "core.trustCtime", "false")
    (folder / "a.txt").write_text("two\n")
    _at(folder / "a.txt", 0.1)
    git(folder, "add", "-A")
    git(folder, "commit", "-q", "-m", "first")
    _at(folder / ".git/index", 0.2)
    (folder / "a.txt").write_text("TWO\n")
    _at(folder / "a.txt", 0.3)
    return folder


def test_a_snapshot_has_a_change_of_the_second_in_which_the_index_was_written(
    changed: Path,
) -> None:
    found = snapshot.take(changed)

    assert git(changed, "show", f"{found.commit}:a.txt") == "TWO"


def test_a_diff_has_it_too_beside_a_new_file(changed: Path) -> None:
    (changed / "new.txt").write_text("new\n")

    shown = patch(View(changed, git(changed, "rev-parse", "HEAD")))

    assert "+TWO" in shown
    assert "+new" in shown
