"""Remove workflows that ended long ago. Safe, and hardly felt, beside a busy engine."""

import os
import stat
from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

from perles.config.home import Paths
from perles.domain.clock import Clock, SystemClock, to_text
from perles.maintenance.rows import ENDED, Remover
from perles.store.reads.connection import reading
from perles.store.sqlite.errors import database_errors
from perles.workspace.removal import remove_tree
from perles.workspace.worktree import remove_worktree, unmerged

if TYPE_CHECKING:
    from sqlite3 import Row


class Due(NamedTuple):
    """A workflow that may go."""

    id: str
    session: str | None
    worktree: str | None


def prune(
    paths: Paths,
    *,
    older_than: float,
    keep: int = 0,
    dry_run: bool = False,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Remove workflows that ended `older_than` seconds ago, save the `keep` newest of all ended.

    One whose worktree holds unmerged work is spared. The row of a workflow goes
    last: what was interrupted is taken up by the next run.
    """
    before = to_text((clock or SystemClock()).now() - timedelta(seconds=older_than))
    done: dict[str, Any] = {"pruned": [], "spared": []}
    found = _due(paths, before, keep)
    if not found:
        return done
    with database_errors(paths.database_path()):
        remover = Remover(paths.database_path())
    try:
        for due in found:
            worktree = due.worktree if due.worktree and os.path.lexists(due.worktree) else None
            why = _spare(worktree, remove=not dry_run)
            if why is None and not dry_run:
                why = _remove(remover, paths, due)
            if why is None:
                done["pruned"].append(due.id)
            else:
                spared = {"workflow_id": due.id, "worktree": worktree, "why": why}
                done["spared"].append(spared)
    finally:
        remover.close()
    return done


def _spare(worktree: str | None, *, remove: bool) -> str | None:
    """Why a workflow with this worktree stays; None where its worktree is, or may be, gone."""
    if worktree is None:
        return None
    why = unmerged(Path(worktree))
    return remove_worktree(Path(worktree)) if why is None and remove else why


def _due(paths: Paths, before: str, keep: int) -> list[Due]:
    query = (
        f"SELECT id, session_dir, worktree_path, ended_at FROM workflows WHERE {ENDED} "  # noqa: S608
        "ORDER BY ended_at DESC, id DESC LIMIT -1 OFFSET ?"
    )
    with reading(paths.database_path()) as connection:
        rows = [] if connection is None else connection.execute(query, (keep,)).fetchall()
    return [_located(paths, row) for row in rows if row[3] and row[3] < before]


def _located(paths: Paths, row: "Row") -> Due:
    session, worktree = (text and str(paths.found(text)) for text in row[1:3])
    return Due(row[0], session, worktree)


def _remove(remover: Remover, paths: Paths, due: Due) -> str | None:
    """Why it is still there, or None."""
    try:
        sessions = paths.sessions_dir()
        gone = remover.remove(due.id, lambda: _remove_session(sessions, due.id, due.session))
    except OSError as error:
        return f"its session folder cannot be removed: {error.strerror}"
    return None if gone else "somebody asked something of it meanwhile"


def _remove_session(sessions: Path, id: str, session: str | None) -> None:
    """Remove the folder, only where it is the workflow's own and inside the home; no links."""
    if session is None or not os.path.lexists(session):
        return
    folder = Path(session)
    inside = Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(sessions))
    if folder.name == id and inside and stat.S_ISDIR(os.lstat(folder).st_mode):
        remove_tree(folder)
