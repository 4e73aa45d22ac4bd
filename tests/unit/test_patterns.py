"""Patterns of files, artifacts and fingerprints: what is found, copied, and noticed."""

import os
from pathlib import Path

import pytest

from perles.domain.needs import Kept
from perles.workspace import fingerprint
from perles.workspace.artifacts import MAX_FILES, collect
from perles.workspace.patterns import matching

FILES = ("a.py", "b.txt", "src/a.py", "src/deep/er/b.py", "src/.hidden.py", ".env", ".git/x.py")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    made = tmp_path / "work"
    for name in FILES:
        (made / name).parent.mkdir(parents=True, exist_ok=True)
        (made / name).write_text(name)
    return made


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("a.py", ["a.py"]),
        ("./a.py", ["a.py"]),
        ("*.py", ["a.py"]),
        ("?.[pt]*", ["a.py", "b.txt"]),
        ("[!a].*", ["b.txt"]),
        ("src/*.py", ["src/a.py"]),
        ("src", ["src/.hidden.py", "src/a.py", "src/deep/er/b.py"]),
        ("src/**", ["src/a.py", "src/deep/er/b.py"]),
        ("src/**/*.py", ["src/a.py", "src/deep/er/b.py"]),
        ("**/*.py", ["a.py", "src/a.py", "src/deep/er/b.py"]),
        ("**/b.*", ["b.txt", "src/deep/er/b.py"]),
        (".env", [".env"]),
        ("src/.*", ["src/.hidden.py"]),
        ("none", []),
        ("none/*.py", []),
        ("a.py/x", []),
    ],
)
def test_a_pattern_finds_files(folder: Path, pattern: str, expected: list[str]) -> None:
    assert [one.path for one in matching(folder, pattern)] == expected


def test_no_link_is_followed(folder: Path, tmp_path: Path) -> None:
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret" / "key.py").write_text("key")
    (folder / "linked").symlink_to(tmp_path / "secret")
    (folder / "key.py").symlink_to(tmp_path / "secret" / "key.py")
    assert [one.path for one in matching(folder, "linked/*.py")] == []
    assert [one.path for one in matching(folder, "**/key.py")] == ["key.py"]
    kept = collect(folder, Kept(paths=("key.py",)), tmp_path / "session", "t")
    assert "no file fits 'key.py'" in kept.problem
    assert not (tmp_path / "session" / "artifacts" / "t").exists()


def test_artifacts_are_copied_in_the_place_of_earlier_ones(folder: Path, tmp_path: Path) -> None:
    session = tmp_path / "session"
    (folder / "a.py").chmod(0o755)
    collect(folder, Kept(paths=("b.txt",)), session, "t")
    found = collect(folder, Kept(paths=("**/*.py", "none"), optional=True), session, "t")
    assert found.problem == ""
    assert [one["path"] for one in found.files] == ["a.py", "src/a.py", "src/deep/er/b.py"]
    copies = session / "artifacts" / "t"
    assert (copies / "src/deep/er/b.py").read_text() == "src/deep/er/b.py"
    assert os.access(copies / "a.py", os.X_OK)
    assert not (copies / "b.txt").exists()


def test_artifacts_are_bounded(folder: Path, tmp_path: Path) -> None:
    session = tmp_path / "session"
    (folder / "large").write_bytes(b"x" * 1000)
    assert (
        "over 999 bytes"
        in collect(folder, Kept(paths=("large",), max_bytes=999), session, "t").problem
    )
    for number in range(MAX_FILES + 1):
        (folder / "src" / f"{number}.o").touch()
    assert f"more than {MAX_FILES}" in collect(folder, Kept(paths=("src",)), session, "t").problem
    (folder / os.fsdecode(b"\xff.odd")).touch()
    assert "is not UTF-8" in collect(folder, Kept(paths=("*.odd",)), session, "t").problem
    os.mkfifo(folder / "pipe.x")
    assert "a pipe" in collect(folder, Kept(paths=("*.x",)), session, "t").problem


def test_a_fingerprint_changes_with_content_names_and_what_is_said(folder: Path) -> None:
    first = fingerprint.of(folder, ["src/**/*.py"], "make")
    assert first == fingerprint.of(folder, ["src/**/*.py"], "make")
    os.utime(folder / "src/a.py", (1, 1))
    assert first == fingerprint.of(folder, ["src/**/*.py"], "make")
    assert first != fingerprint.of(folder, ["src/**/*.py"], "make all")
    (folder / "src/a.py").rename(folder / "src/c.py")
    renamed = fingerprint.of(folder, ["src/**/*.py"], "make")
    (folder / "src/c.py").write_text("other")
    assert len({first, renamed, fingerprint.of(folder, ["src/**/*.py"], "make")}) == 3
    assert fingerprint.of(folder, ["none"], "make") is None
