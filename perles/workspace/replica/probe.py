"""Whether two machines see the same files: each writes one that the other has to read."""

import os
import time
from pathlib import Path
from typing import Final

from perles.workspace import door

SECONDS: Final = 5.0
"""How long a file may take to show on the other machine: a network file system may look late."""
_PREFIX: Final = ".perles-probe-"
_TEXT: Final = 64


def write(folder: Path) -> tuple[str, str]:
    """Write a file with a text that nobody can guess; its name, and the text. Raises `OSError`."""
    name, text = f"{_PREFIX}{os.urandom(8).hex()}", os.urandom(16).hex()
    door.write(folder / name, text.encode())
    return name, text


def read(folder: Path, name: str) -> str:
    """The text in the file; "" where it does not show in time. Blocks."""
    deadline = time.monotonic() + SECONDS
    while name.startswith(_PREFIX) and "/" not in name:
        try:
            os.listdir(folder)  # asks the server anew
            return door.read_small(folder / name, _TEXT).decode(errors="replace")
        except OSError:
            if time.monotonic() > deadline:
                break
            time.sleep(0.1)
    return ""


def remove(folder: Path, name: str) -> None:
    """Remove a file that was written for this."""
    if name.startswith(_PREFIX) and "/" not in name:
        (folder / name).unlink(missing_ok=True)
