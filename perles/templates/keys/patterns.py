"""Patterns of files below a folder: `dist/*.whl`, `src/**/*.py`."""

from pathlib import PurePosixPath
from typing import Final

from perles.config.yamlfile import Node
from perles.templates.keys import texts
from perles.templates.keys.shapes import WORDS, one_or_more

MAX_PATTERNS: Final = 100
SHAPE: Final = one_or_more(WORDS, MAX_PATTERNS)


def patterns(node: Node) -> tuple[str, ...]:
    """One pattern or a list of them. Raises `UsageError` for one that leaves the folder."""
    items = texts.one_or_more(node)
    if not items or len(items) > MAX_PATTERNS:
        raise node.error(f"needs 1 to {MAX_PATTERNS} paths, such as dist/*.whl")
    for item in items:
        path = PurePosixPath(item.text())
        if not item.text().strip() or path.is_absolute() or ".." in path.parts or not path.parts:
            raise item.error(f"{item.text()!r} is no path in the work dir, such as dist/*.whl")
    return tuple(dict.fromkeys(item.text() for item in items))
