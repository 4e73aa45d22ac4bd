"""What a branch holds beyond the commit where it began: git tells, also without its worktree."""

from pathlib import Path
from typing import Final, NamedTuple

from perles.workspace.git import git, need

MAX_COMMITS: Final = 200
MAX_FILES: Final = 1000
SECONDS: Final = 10.0


class BranchWork(NamedTuple):
    """The first commits, newest first, as id and subject; the first files that they changed."""

    commits: list[tuple[str, str]]
    files: list[str]


def branch_work(repository: Path, base: str, branch: str) -> BranchWork:
    """What is in the branch since the commit `base`. Raises `GitError`. Blocks."""
    since = (f"refs/heads/{branch}", f"^{base}", "--")
    how = (f"--max-count={MAX_COMMITS}", "--format=%H%x00%s")
    told = git(repository, "log", *how, *since, seconds=SECONDS)
    pairs = [line.partition("\0") for line in told.split("\n") if line]
    changed = (
        "diff",
        "--name-only",
        "-z",
        "--no-renames",
        "--no-ext-diff",
        "--ignore-submodules=all",
    )
    names = need(repository, *changed, base, f"refs/heads/{branch}", "--", seconds=SECONDS)
    found = [name for name in names.split("\0") if name]
    return BranchWork([(id, subject) for id, _, subject in pairs], found[:MAX_FILES])
