"""A pipeline of one task for one command, as a file that is there for a moment."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

_NAME: Final = 60


def name_of(run: str) -> str:
    """What a workflow of this command is called."""
    text = " ".join(run.split())
    return text if len(text) <= _NAME else f"{text[: _NAME - 1]}…"


@contextmanager
def pipeline_file(run: str, name: str) -> Iterator[str]:
    """The path of a pipeline whose only task runs this script, as long as the block lasts."""
    task = {"key": "command", "name": name, "run": run}
    file = os.memfd_create("command.yaml")
    try:
        os.write(file, json.dumps({"name": name, "tasks": [task]}).encode())
        os.lseek(file, 0, os.SEEK_SET)
        yield f"/dev/fd/{file}"
    finally:
        os.close(file)
