"""`perles list --watch --plain`: one sentence for each workflow, again only when it changed.

For screen readers and logs: nothing is drawn over, nothing is coloured, and nothing
is said twice.
"""

import time
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Final

from perles.controlplane.quick import Json
from perles.domain.text import clean

LOOK_SECONDS: Final = 1.0


def tell(read: Callable[[], Sequence[Json]], why: Callable[[Json], str]) -> None:
    """Print what there is, and then what becomes of it, until somebody ends it."""
    known: dict[str, str] = {}
    while True:
        found = {row["id"]: sentence(row, why(row)) for row in read()}
        for line in changes(known, found, datetime.now().astimezone()):
            print(line, flush=True)
        known = found
        time.sleep(LOOK_SECONDS)


def changes(known: Mapping[str, str], found: Mapping[str, str], now: datetime) -> list[str]:
    """The sentences that are new, the oldest workflow first; each with the time."""
    at = now.strftime("%H:%M:%S")
    gone = [f"{at} {id} is not listed any more" for id in known if id not in found]
    fresh = [f"{at} {text}" for id, text in found.items() if known.get(id) != text]
    return [*gone, *reversed(fresh)]


def sentence(row: Json, note: str) -> str:
    """`wf-… nightly: running, 1 of 3 tasks done, waiting for you since …`."""
    tasks = row["tasks"]
    parts = [row["state"]]
    if tasks["total"]:
        parts.append(f"{tasks['done']} of {tasks['total']} tasks done")
    if tasks["failed"]:
        parts.append(f"{tasks['failed']} failed")
    notes = (row["unattended"], note, row["attention"])
    parts += [part for part in notes if part and part not in parts]
    return clean(f"{row['id']} {row['name']}: {', '.join(parts)}")
