"""Worktrees and diffs against git alone: medians of whole calls, one after the other."""

import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

from perles.workspace import allocation
from perles.workspace.changes import View, files
from tests.benchmarks.bench import Row, bench

FILES: Final = 20_000
CHANGED: Final = 500
RUNS: Final = 3


def rows() -> Iterator[Row]:
    """The measurements."""
    with bench() as home:
        repository = _repository(home.root / "repository")
        ours, theirs = _worktrees(home.root, repository)
        yield Row("worktree of 20,000 files / git worktree add", ours / theirs, "times", "<= 1.2")
        yield Row("the same, ours", ours, "s", "<= 60")
        ours, theirs = _diffs(home.root / "ours-0")
        yield Row("stat of 500 changed files / git diff --stat", ours / theirs, "times", "<= 1.5")
        yield Row("the same, ours", ours * 1000, "ms", "<= 1000")


def _git(folder: Path, *args: str) -> None:
    who = ("-c", "user.name=Bench", "-c", "user.email=bench@example.invalid")
    subprocess.run(["git", *who, *args], cwd=folder, check=True, capture_output=True)


def _repository(folder: Path) -> Path:
    folder.mkdir()
    for number in range(FILES):
        path = folder / f"d{number % 200}" / f"f{number}.txt"
        path.parent.mkdir(exist_ok=True)
        path.write_text(f"{number}\n" * 20)
    _git(folder, "init", "-q", "-b", "main")
    _git(folder, "add", "-A")
    _git(folder, "commit", "-q", "-m", "all")
    return folder


def _worktrees(root: Path, repository: Path) -> tuple[float, float]:
    """Seconds of ours and of git's, medians, in turns."""
    ours, theirs = [], []
    for number in range(RUNS):
        wanted = allocation.Wanted(
            repository=repository,
            path=root / f"ours-{number}",
            branch=f"ours-{number}",
            base="main",
            copy=(),
            link=(),
            marker=("PERLES_WORKFLOW", "wf-bench"),
        )
        ours.append(_seconds(partial(allocation.allocate, wanted)))
        add = ("worktree", "add", "-q", "-b", f"git-{number}", str(root / f"git-{number}"), "main")
        theirs.append(_seconds(partial(_git, repository, *add)))
    return statistics.median(ours), statistics.median(theirs)


def _diffs(tree: Path) -> tuple[float, float]:
    for number in range(CHANGED):
        (tree / f"d{number % 200}" / f"f{number}.txt").write_text("changed\n" * 10)
    ours, theirs = [], []
    for _ in range(RUNS * 3):
        ours.append(_seconds(lambda: files(View(tree, "main"))))
        theirs.append(_seconds(lambda: _git(tree, "diff", "--stat", "main")))
    return statistics.median(ours), statistics.median(theirs)


def _seconds(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return time.perf_counter() - begun
