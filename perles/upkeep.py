"""Prune and backup of the database and the session folders. Safe beside a running engine."""

import os
import shutil
import stat
import time
from datetime import timedelta
from pathlib import Path
from typing import Any, Final

from perles.domain.clock import Clock, SystemClock, to_text
from perles.domain.errors import DatabaseError
from perles.paths import Paths
from perles.store import views
from perles.store.database import begin, roll_back
from perles.store.failures import database_errors
from perles.store.sqlite import BUSY_TIMEOUT, dbapi

BATCH: Final = 500
_PAUSE: Final = 0.002
"""Between two transactions, so that a writer that waits gets its turn."""

_ENDED: Final = (
    "state IN ('completed', 'failed', 'stopped') AND NOT EXISTS (SELECT 1 FROM commands c "
    "WHERE c.workflow_id = workflows.id AND c.status IN ('queued', 'running'))"
)


def prune(
    paths: Paths,
    *,
    older_than: float,
    keep: int = 0,
    dry_run: bool = False,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Remove workflows that ended `older_than` seconds ago, save the `keep` newest of all ended.

    The row of a workflow goes last: what was interrupted is taken up by the next run.
    """
    before = to_text((clock or SystemClock()).now() - timedelta(seconds=older_than))
    pruned: list[str] = []
    spared: list[dict[str, str]] = []
    for id, session, worktree in _due(paths.database_path(), before, keep):
        if worktree and os.path.lexists(worktree):
            spared.append({"workflow_id": id, "worktree": worktree})
            continue
        if not dry_run:
            _remove_session(paths.sessions_dir(), id, session)
            _remove_rows(paths.database_path(), id)
        pruned.append(id)
    return {"pruned": pruned, "spared": spared}


def _due(path: Path, before: str, keep: int) -> list[tuple[str, str | None, str | None]]:
    query = (
        f"SELECT id, session_dir, worktree_path, ended_at FROM workflows WHERE {_ENDED} "  # noqa: S608
        "ORDER BY ended_at DESC, id DESC LIMIT -1 OFFSET ?"
    )
    with views.reading(path) as connection:
        rows = [] if connection is None else connection.execute(query, (keep,)).fetchall()
    return [(row[0], row[1], row[2]) for row in rows if row[3] and row[3] < before]


def _remove_session(sessions: Path, id: str, session: str | None) -> None:
    """Remove the folder, only where it is the workflow's own and inside the home; no links."""
    if session is None or not os.path.lexists(session):
        return
    folder = Path(session)
    inside = Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(sessions))
    if folder.name == id and inside and stat.S_ISDIR(os.lstat(folder).st_mode):
        shutil.rmtree(folder)


def _remove_rows(path: Path, id: str) -> None:
    with database_errors(path):
        connection = dbapi.connect(str(path), timeout=BUSY_TIMEOUT, isolation_level=None)
        try:
            connection.execute("PRAGMA foreign_keys=ON")
            events = "SELECT seq FROM events WHERE workflow_id = ? LIMIT ?"
            delete = f"DELETE FROM events WHERE seq IN ({events})"  # noqa: S608 - a constant
            while _in_transaction(connection, path, [(delete, (id, BATCH))]):
                time.sleep(_PAUSE)
            last = [
                ("UPDATE workflows SET retried_from = NULL WHERE retried_from = ?", (id,)),
                ("DELETE FROM tasks WHERE workflow_id = ?", (id,)),
                ("DELETE FROM workflows WHERE id = ?", (id,)),
            ]
            _in_transaction(connection, path, last)
        finally:
            connection.close()


def _in_transaction(connection: Any, path: Path, work: list[tuple[str, tuple[Any, ...]]]) -> int:
    begin(connection, path)
    try:
        for statement, params in work:
            changed = connection.execute(statement, params).rowcount
        connection.execute("COMMIT")
    except BaseException:
        roll_back(connection)
        raise
    return int(changed)


def backup(source: Path, target: Path) -> None:
    """Copy the live database to `target`, which appears only whole and verified."""
    _refuse(source, target)
    half = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        with database_errors(target):
            os.close(os.open(half, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            _copy(source, half)
        half.replace(target)
    except OSError as error:
        raise DatabaseError(
            f"cannot write backup {target}: {error.strerror}; give another FILE or free some space"
        ) from error
    finally:
        half.unlink(missing_ok=True)


def _refuse(source: Path, target: Path) -> None:
    live = [os.path.realpath(f"{source}{end}") for end in ("", "-wal", "-shm", ".lock")]
    if os.path.realpath(target) in live:
        raise DatabaseError(
            f"cannot write backup {target}: that is the live database; name another"
        )
    if os.path.lexists(target):
        with target.open("rb") as file:
            if file.read(16) != b"SQLite format 3\0":
                raise DatabaseError(
                    f"cannot write backup {target}: a file that is no backup is there; name another"
                )


def _copy(source: Path, half: Path) -> None:
    reading, writing = dbapi.connect(str(source)), dbapi.connect(str(half))
    try:
        reading.backup(writing)
        writing.execute("PRAGMA journal_mode=DELETE")
        found = writing.execute("PRAGMA integrity_check").fetchone()[0]
        if found != "ok":
            raise DatabaseError(f"cannot keep this backup: {found}; perles maintenance check")
    finally:
        writing.close()
        reading.close()
