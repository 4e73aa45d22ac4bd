"""Removing a folder that an agent filled: however deep it is, and following no link."""

import os
from itertools import count
from pathlib import Path
from typing import Final

_OPEN: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC


def remove_tree(folder: Path) -> None:
    """Remove a folder with all that is in it. Raises `OSError`.

    Depth costs neither stack nor descriptors nor long paths: the folders in a folder of
    `folder` are moved up into `folder` itself, until none is left.
    """
    top = os.open(folder, _OPEN)
    try:
        numbers = count()
        while folders := _remove_files(top):
            for name in folders:
                _remove_folder(top, name, numbers)
    finally:
        os.close(top)
    folder.rmdir()


def _remove_files(folder: int) -> list[str]:
    """Remove what is no folder; the names of the folders."""
    folders = []
    with os.scandir(folder) as entries:
        found = [(entry.name, entry.is_dir(follow_symlinks=False)) for entry in entries]
    for name, is_dir in found:
        if is_dir:
            folders.append(name)
        else:
            os.unlink(name, dir_fd=folder)
    return folders


def _remove_folder(top: int, name: str, numbers: "count[int]") -> None:
    """Remove a folder in `top`; the folders in it go up into `top`."""
    Path(f"/proc/self/fd/{top}/{name}").chmod(0o700)  # its owner may have locked themselves out
    folder = os.open(name, _OPEN, dir_fd=top)
    try:
        for inner in _remove_files(folder):
            os.rename(inner, _free(top, numbers), src_dir_fd=folder, dst_dir_fd=top)
    finally:
        os.close(folder)
    os.rmdir(name, dir_fd=top)


def _free(top: int, numbers: "count[int]") -> str:
    """A name that nothing in `top` has."""
    while True:
        name = f".removed-{next(numbers)}"
        if not os.access(name, os.F_OK, dir_fd=top, follow_symlinks=False):
            return name
