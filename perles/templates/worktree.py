"""The key `worktree` of a pipeline or template: yes, or how it is to be."""

from pathlib import PurePosixPath
from typing import Final

from perles.config.yamlfile import Node
from perles.domain.specs import Worktree

_KEYS: Final = ("base", "branch", "copy", "link", "setup")


def worktree(node: Node) -> Worktree | None:
    """How the worktree is to be; None for `false`. Raises `UsageError`."""
    if isinstance(node.value, str):
        return Worktree() if node.boolean() else None
    entries = node.mapping(_KEYS)
    return Worktree(
        base=entries["base"].text() if "base" in entries else None,
        branch=entries["branch"].text() if "branch" in entries else None,
        copy=paths(entries["copy"]) if "copy" in entries else (),
        link=paths(entries["link"]) if "link" in entries else (),
        setup=entries["setup"].text() if "setup" in entries else "",
    )


def paths(node: Node) -> tuple[str, ...]:
    """Paths that stay below the repository. Raises `UsageError`."""
    found = []
    for item in node.items():
        path = PurePosixPath(item.text())
        if path.is_absolute() or ".." in path.parts or not path.parts or ".git" in path.parts:
            raise item.error(f"{item.text()!r} is no path below the repository")
        found.append(str(path))
    return tuple(found)
