"""A copy of a repository's index, in which git may write without changing the work dir."""

import os
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from perles.workspace import door
from perles.workspace.git import git

MAX_INDEX: Final = 512 * 1024 * 1024


@contextmanager
def private_index(folder: Path) -> Iterator[dict[str, str]]:
    """The environment with which git works on a copy of the index. Raises `GitError`, `OSError`.

    The copy keeps the time of the original: git looks into files that changed since then, and
    takes what is as old as it was for unchanged. With a later time it would miss a change of
    the same second that keeps the size.
    """
    index = git(folder, "rev-parse", "--path-format=absolute", "--git-path", "index")
    with tempfile.TemporaryDirectory(prefix="perles-") as scratch:
        copy = Path(scratch) / "index"
        try:
            with door.reading(index) as file:
                found = os.fstat(file.fileno())
                copy.write_bytes(file.read(MAX_INDEX))
        except FileNotFoundError:
            pass  # nothing was ever added: git makes one
        else:
            os.utime(copy, ns=(found.st_atime_ns, found.st_mtime_ns))
        yield {"GIT_INDEX_FILE": str(copy)}
