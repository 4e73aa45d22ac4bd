"""Remove what was kept to tell whether commands are up to date, where nobody needs it any more."""

from datetime import datetime
from pathlib import Path

from perles.workspace import fingerprint


def prune_stamps(stamps: Path, before: datetime, *, dry_run: bool = False) -> int:
    """Remove those kept before that time, and those whose folder is gone; how many.

    A command whose stamp is gone runs once more, so one that is put back meanwhile does no harm.
    Raises `OSError`.
    """
    if not stamps.is_dir():
        return 0
    outdated = [one for one in stamps.iterdir() if fingerprint.is_outdated(one, before.timestamp())]
    if not dry_run:
        for one in outdated:
            fingerprint.begin(one)
    return len(outdated)
