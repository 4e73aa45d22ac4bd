"""Whether rows, processes and files agree: orphans, lost turns, leases, stray files."""

from collections.abc import Iterator
from typing import Final

from perles.doctor.finding import NOTE, OK, PROBLEM, Finding
from perles.doctor.machine.surroundings import Surroundings
from perles.domain.errors import DatabaseError
from perles.engine import watchdog
from perles.maintenance.check import check as look
from perles.maintenance.check import unknown_sessions
from perles.store.place import engine_lock
from perles.store.reads import engine as reads_engine
from perles.store.reads.connection import reading

MOST: Final = 20


def check(surroundings: Surroundings) -> Iterator[Finding]:
    """What `perles maintenance check` finds, and work that waits while no engine runs."""
    path = surroundings.paths.database_path()
    engine = engine_lock(path).is_held()
    try:
        wrong = look(surroundings.paths)
        unknown = unknown_sessions(surroundings.paths)
        with reading(path) as connection:
            if reads_engine.has_work(connection) and not engine:
                text = "workflows run or wait to start, but no engine does"
                if (why := watchdog.word(surroundings.paths.root)) is not None:
                    text = f"{text}: {why}"
                yield Finding("engine", PROBLEM, text, "perles serve --detach")
            else:
                yield Finding("engine", OK, "runs" if engine else "none runs, none is needed")
    except DatabaseError:
        return  # told by the check of the database
    for text in wrong[:MOST]:
        yield Finding("consistency", PROBLEM, text, "perles maintenance reconcile")
    if len(wrong) > MOST:
        text = f"{len(wrong) - MOST} more: perles maintenance check"
        yield Finding("consistency", NOTE, text)
    if unknown is not None:
        yield Finding("sessions", NOTE, unknown)
    if not wrong:
        yield Finding("consistency", OK, "rows, processes and files agree")
