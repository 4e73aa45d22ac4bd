"""What a branch changed since its base, as git shows it: also what is not committed or added."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final, NamedTuple

from perles.workspace.git import GitError, filters, git, need
from perles.workspace.index_copy import private_index

_DIFF: Final = (
    *("--no-ext-diff", "--no-textconv", "--no-color", "--no-relative", "--ignore-submodules=all"),
    *("--src-prefix=a/", "--dst-prefix=b/"),
)


class FileChange(NamedTuple):
    """A file that changed; `added` and `removed` are lines, None of a binary file."""

    path: str
    old_path: str | None
    added: int | None
    removed: int | None


class View(NamedTuple):
    """Where to look: in `folder`, from the commit `base` to `head`, None for what is there now.

    `brought` are files that came along when the worktree was made; `paths` narrow the view.
    """

    folder: Path
    base: str
    head: str | None = None
    brought: Sequence[str] = ()
    paths: Sequence[str] = ()


def patch(view: View) -> str:
    """The change as a patch. Raises `GitError`; blocks."""
    return _diff(view, "--patch")


def files(view: View) -> list[FileChange]:
    """The files that changed, in order of their paths. Raises `GitError`; blocks."""
    pieces = iter(_diff(view, "--numstat", "-z").split("\0"))
    found = []
    for piece in pieces:
        numbers = piece.split("\t", 2)
        if len(numbers) < 3:
            continue
        added, removed, path = numbers
        old = None
        if not path:
            old, path = next(pieces), next(pieces)
        is_binary = added == "-"
        found.append(
            FileChange(
                path, old, None if is_binary else int(added), None if is_binary else int(removed)
            )
        )
    return found


def fork(folder: Path, base: str | None, base_commit: str, head: str) -> str:
    """The commit that a branch is compared with: where it left its base, as that is now.

    Once it is merged, or its base is gone, the commit that it began at.
    """
    try:
        found = git(folder, "merge-base", "--end-of-options", base or base_commit, head)
        same = found == git(folder, "rev-parse", "--end-of-options", head).splitlines()[-1]
    except GitError:
        return base_commit
    return base_commit if same else found


def _diff(view: View, *how: str) -> str:
    if view.head is not None:
        return need(view.folder, "diff", *_DIFF, *how, view.base, view.head, "--", *_specs(view))
    off = filters(view.folder)
    if not need(view.folder, "ls-files", "--others", "--exclude-standard", "-z", "--", ":/"):
        return need(view.folder, "diff", *_DIFF, *how, view.base, "--", *_specs(view), off=off)
    # New files are in no index; git is told of them in a copy, and writes nothing else.
    with private_index(view.folder) as env:
        everything = ("--", ":/", *_excluded(view))
        need(view.folder, "add", "--intent-to-add", *everything, off=off, env=env)
        words = ("diff", *_DIFF, *how, view.base, "--", *_specs(view))
        return need(view.folder, *words, off=off, env=env)


def _excluded(view: View) -> list[str]:
    return [f":(top,exclude,literal){name}" for name in view.brought]


def _specs(view: View) -> list[str]:
    return [*([f":(top){path}" for path in view.paths] or [":/"]), *_excluded(view)]
