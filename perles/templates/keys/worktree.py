"""The key `worktree` of a pipeline or template: yes, or how it is to be."""

from pathlib import PurePosixPath
from typing import Final

from perles.config.yamlfile import Node
from perles.domain.specs import Worktree
from perles.templates.keys.key import TOPS, Entries, Family, Key
from perles.templates.keys.shapes import WORDS, YES_OR_NO, either, items, parts

_KEYS: Final = ("base", "branch", "copy", "link", "setup")


def worktree(top: Entries) -> Worktree | None:
    """How the worktree is to be; None for `false`, and without the key. Raises `UsageError`."""
    node = top.get("worktree")
    if node is None:
        return None
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
            raise item.error(f"{item.text()!r} is not a path below the repository")
        found.append(str(path))
    return tuple(found)


_PATHS: Final = items(WORDS)
_SHAPE: Final = parts(
    {"base": WORDS, "branch": WORDS, "copy": _PATHS, "link": _PATHS, "setup": WORDS}
)
FAMILY: Final = Family(
    name="worktree",
    title="Worktree",
    keys=(
        Key(
            name="worktree",
            at=TOPS,
            schema=either(YES_OR_NO, _SHAPE),
            doc="`true`, or a mapping: the workflow runs in its own git worktree. `copy` and "
            "`link` name ignored files that the tasks need; `setup` is a command that runs "
            "first.",
            example="worktree: {base: main, copy: [.env], link: [node_modules], setup: make deps}",
        ),
    ),
)
