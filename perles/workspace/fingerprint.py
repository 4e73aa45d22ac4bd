"""Whether a command has to run: what it was made of when it last ended well, and is now.

What is kept is a file for each command and folder, in the home. It is taken away when the command
begins and put back when it ended well: after a failure it runs again. Its first line is the
fingerprint, the rest is the folder: where that is gone, nobody asks again.
"""

import hashlib
import os
from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path

from perles.workspace import door
from perles.workspace.patterns import TooManyError, matching


def stamp_of(stamps: Path, folder: Path, key: str) -> Path:
    """Where it is kept for the task of this key, run in this folder."""
    name = hashlib.sha256(f"{folder}\0{key}".encode(errors="surrogateescape")).hexdigest()
    return stamps / name[:40]


def of(folder: Path, sources: Sequence[str], said: str) -> str | None:
    """The fingerprint of the sources, and of what is `said` to the command.

    None where they cannot be read, or no file is there: then nobody can tell.
    """
    digest = hashlib.sha256(said.encode(errors="replace"))
    count = 0
    try:
        for pattern in sources:
            for found in matching(folder, pattern):
                digest.update(f"\0{found.path}\0".encode(errors="surrogateescape"))
                digest.update(_content(folder / found.path, is_link=found.is_link))
                count += 1
    except (OSError, TooManyError):
        return None
    return digest.hexdigest() if count else None


def _content(path: Path, *, is_link: bool) -> bytes:
    if is_link:
        return os.fsencode(path.readlink())
    digest = hashlib.sha256()
    with door.reading(path, foreign=True) as file:
        while piece := file.read(1024 * 1024):
            digest.update(piece)
    return digest.digest()


def are_there(folder: Path, generates: Sequence[str]) -> bool:
    """Whether something fits each of these patterns."""
    try:
        return all(matching(folder, pattern) for pattern in generates)
    except (OSError, TooManyError):
        return False


def is_kept(stamp: Path, fingerprint: str) -> bool:
    """Whether this is the fingerprint with which the command last ended well."""
    try:
        return door.read_small(stamp).partition(b"\n")[0] == fingerprint.encode()
    except OSError:
        return False


def begin(stamp: Path) -> None:
    """The command begins: until it has ended well, nothing is known of it."""
    with suppress(FileNotFoundError):
        stamp.unlink()


def keep(stamp: Path, fingerprint: str, folder: Path) -> None:
    """The command ended well, in this folder. Raises `OSError`."""
    stamp.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
    door.write(stamp, fingerprint.encode() + b"\n" + os.fsencode(folder))


def is_outdated(stamp: Path, before: float) -> bool:
    """Whether it was kept before that time (seconds since 1970), or its folder is gone.

    One of a release that did not note the folder is judged by its age alone.
    """
    try:
        if stamp.lstat().st_mtime < before:
            return True
        folder = door.read_small(stamp).partition(b"\n")[2]
    except OSError:
        return False
    return bool(folder) and not os.path.lexists(folder)
