"""Files that a task must make before it is done: whether they are there, and who is told else."""

import stat
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from perles.store.events import journal
from perles.store.schema.tasks import Task
from perles.store.transaction import Tx
from perles.tasks import sent_back
from perles.tasks.stored_execution import execution_of

MAX_SENT_BACK: Final = 3
"""How often a worker that cannot be refused its report is asked again for a file."""


def wanted(task: Task) -> Mapping[str, str]:
    """The paths that must be there, by key."""
    return execution_of(task).outputs


def missing(work_dir: str, paths: Mapping[str, str]) -> list[str]:
    """The paths without a file or folder below the work dir. It reads the disk: call it outside of
    transactions where agents could have put something there that blocks."""
    top = Path(work_dir)
    return [path for path in paths.values() if not _is_there(top, path)]


def _is_there(top: Path, path: str) -> bool:
    try:
        found = (top / path).resolve(strict=True)
        mode = found.stat().st_mode
    except (OSError, RuntimeError):
        return False  # also where links lead in a circle
    return found.is_relative_to(top.resolve()) and (stat.S_ISREG(mode) or stat.S_ISDIR(mode))


def said(paths: Sequence[str]) -> str:
    """What is wrong, in words."""
    if len(paths) == 1:
        return f"its output {paths[0]} is not there"
    return f"its outputs {', '.join(paths)} are not there"


def send_back(tx: Tx, task: Task, paths: Sequence[str]) -> bool:
    """Ask its worker for files that are missing; whether that can be done.

    For workers that report by their last words, whose report nobody could refuse.
    """
    body = (
        f"Task {task.key} is not done: {said(paths)}. Write what is missing, at exactly that path "
        "below the work dir, then report again."
    )
    counted = sent_back.Counted("asked_for_files", MAX_SENT_BACK)
    outputs = journal.decode(task.outputs)
    return sent_back.send_back(tx, task, outputs, counted, body)
