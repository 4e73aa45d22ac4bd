"""How much a folder holds."""

import os
from pathlib import Path


def bytes_below(folder: Path) -> int:
    """Bytes on disk of all files below a folder, 0 where there is none; no link is followed."""
    total, waiting = 0, [str(folder)]
    while waiting:
        try:
            with os.scandir(waiting.pop()) as entries:
                for entry in entries:
                    if entry.is_dir(follow_symlinks=False):
                        waiting.append(entry.path)
                    else:
                        total += entry.stat(follow_symlinks=False).st_blocks * 512
        except OSError:
            continue  # an agent removed it meanwhile
    return total
