"""What the home folder lies on."""

import os
import shutil
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from perles.config.home import shared
from perles.doctor.finding import NOTE, OK, PROBLEM, Finding
from perles.doctor.machine.surroundings import Surroundings
from perles.store.sqlite.filesystem import NETWORK, mount_of

LEAST_FREE: Final = 256 * 2**20
"""Bytes: with less, agents and the database soon meet a full disk."""


def check(surroundings: Surroundings) -> Iterator[Finding]:
    """The file system, its free space, and who may read the folder."""
    home = surroundings.paths.root
    there = _nearest(home)
    mount = mount_of(there)
    kind = "unknown" if mount is None else mount.type
    if kind in NETWORK:
        advice = "set PERLES_HOME to a folder on a local disk"
        text = f"{home} is on a network file system ({kind}), where SQLite is not safe"
        yield Finding("file system", PROBLEM, text, advice)
    free = shutil.disk_usage(there).free
    text = f"{home} on {kind}, {free / 2**30:.1f} GiB free"
    if free < LEAST_FREE:
        yield Finding("file system", PROBLEM, text, "free some space: perles maintenance prune")
    elif not os.access(there, os.W_OK):
        yield Finding("file system", PROBLEM, f"{there} may not be written", f"chmod u+w {there}")
    else:
        yield Finding("file system", OK, text)
    why = shared(home)
    if why is not None:
        problem, _, advice = why.partition("; ")
        yield Finding("file system", PROBLEM, f"{home} cannot be used: {problem}", advice)
    elif home.is_dir() and stat.S_IMODE(home.stat().st_mode) & 0o077:
        text = f"other users can read {home}, which contains agents' tokens and output"
        yield Finding("file system", NOTE, text, f"chmod 700 {home}")


def _nearest(path: Path) -> Path:
    """The folder itself, or the nearest one above that is there."""
    return next(folder for folder in (path, *path.parents) if folder.is_dir())
