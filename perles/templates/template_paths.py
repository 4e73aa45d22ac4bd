"""Where the files lie that a template names: in its folder, or in the folder of all templates."""

import os
import stat
from pathlib import Path
from typing import Final

from perles.config.yamlfile import Node
from perles.domain.patterns import lazy_pattern

ROOT_NAME: Final = "workflows/"
"""How a path begins that is told from the folder of all templates."""
_DRIVE: Final = lazy_pattern(r"[A-Za-z]:")


def locate(node: Node, folder: Path, root: Path) -> Path:
    """The file that a value names. Raises `UsageError` where it is none, or lies elsewhere.

    A name without `/` is looked for in the template's `folder`, then in `root`, the folder of all
    templates of its source. `workflows/NAME/x.md` is told from there, any other path from either.
    """
    text = node.text()
    if text.startswith("/") or _DRIVE.match(text) or text.startswith("\\"):
        raise node.error(
            f"invalid template path: {text!r} (absolute paths not allowed); must be a path inside "
            "the template's folder"
        )
    if ".." in text:
        raise node.error(
            f"invalid template path: {text!r} (path traversal attempt); must be a path inside the "
            "template's folder"
        )
    if "/" not in text and _is_plain(folder, text):
        return folder / text
    for path in _places(text, folder, root):
        if path.is_file():
            return _inside(node, path, folder, root)
    raise node.error(
        f"there is no file {text!r} in {folder}; add it, or correct the name"
        if node.key
        else f"{text!r} not found"
    )


def _is_plain(folder: Path, name: str) -> bool:
    """Whether a file of this folder has the name, and is no link: most are so."""
    try:
        return stat.S_ISREG(os.lstat(f"{folder}/{name}").st_mode)
    except OSError:
        return False


def _places(text: str, folder: Path, root: Path) -> list[Path]:
    places = [folder / text, root / text]
    if text.startswith(ROOT_NAME):
        places.insert(0, root / text.removeprefix(ROOT_NAME))
    return places


def _inside(node: Node, path: Path, folder: Path, root: Path) -> Path:
    """The path, where it is no link to a file somewhere else."""
    real = path.resolve()
    if not any(real.is_relative_to(place.resolve()) for place in (folder, root)):
        raise node.error(f"{node.text()!r} is a link to a file outside of {root}; copy it there")
    return path
