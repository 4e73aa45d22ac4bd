"""Refs of a repository, and the folder that all of its worktrees share."""

from pathlib import Path

from perles.workspace.git import git, need


def common_dir(folder: Path) -> str:
    """The absolute path of the git folder that `folder` shares with the repository's worktrees.

    Raises `GitError` where the folder is in no repository.
    """
    return git(folder, "rev-parse", "--path-format=absolute", "--git-common-dir")


def refs_below(folder: Path, prefix: str, *options: str) -> list[str]:
    """The full names of the refs below a prefix. Raises `GitError`.

    `options` are git's own, such as `--git-dir=…`.
    """
    return git(folder, *options, "for-each-ref", "--format=%(refname)", prefix).split()


def set_ref(folder: Path, ref: str, commit: str) -> None:
    """Let a ref of Perles name a commit; the same each time. Raises `GitError`."""
    need(folder, "update-ref", "--no-deref", ref, commit)


def delete_ref(folder: Path, ref: str, *options: str) -> None:
    """Delete a ref; nothing happens where there is none. Raises `GitError`."""
    need(folder, *options, "update-ref", "--no-deref", "-d", ref)
