"""Remove workflows that ended long ago. Safe, and hardly felt, beside a busy engine."""

import os
import stat
from collections.abc import Sequence
from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple

from perles.config.home import Paths
from perles.domain.clock import Clock, SystemClock, to_text
from perles.maintenance.refs import prune_refs, work_away
from perles.maintenance.stamps import prune_stamps
from perles.store.reads.connection import reading
from perles.store.reads.ended import Ended, ended_workflows
from perles.store.removal import Remover
from perles.store.sqlite.errors import database_errors
from perles.workspace.removal import remove_tree
from perles.workspace.worktree import remove_worktree, unmerged

_BUSY: Final = "somebody asked something of it meanwhile"


class Due(NamedTuple):
    """A workflow that may go."""

    id: str
    session: str | None
    worktree: str | None
    brought: tuple[str, ...] = ()
    merged: "dict[str, Any] | None" = None


def prune(
    paths: Paths,
    *,
    older_than: float,
    keep: int = 0,
    dry_run: bool = False,
    clock: Clock | None = None,
) -> dict[str, Any]:
    """Remove workflows that ended `older_than` seconds ago, save the `keep` newest of all ended.

    One whose worktree holds unmerged work is spared. What its turns left on refs in the repository
    goes, too (`refs` counts it), but for what was merged nowhere (`unmerged_refs`). The row of a
    workflow goes last: what was interrupted is taken up by the next run. What tells that commands
    are up to date goes too, where it is as old, or its folder is gone: `stamps` counts it.
    """
    before = (clock or SystemClock()).now() - timedelta(seconds=older_than)
    done = _remove_all(paths, _due(paths, to_text(before), keep), dry_run)
    stamps = prune_stamps(paths.stamps_dir(), before, dry_run=dry_run)
    return {**done, "stamps": stamps}


def remove(paths: Paths, ids: Sequence[str], *, dry_run: bool = False) -> dict[str, Any]:
    """Remove those of these workflows that have ended; as `prune`."""
    found = {due.id: due for due in _due(paths, None, 0)}
    done = _remove_all(paths, [found[id] for id in ids if id in found], dry_run)
    for id in ids:
        if id not in found:
            done["spared"].append({"workflow_id": id, "worktree": None, "why": _BUSY})
    return done


def _remove_all(paths: Paths, found: list[Due], dry_run: bool) -> dict[str, Any]:
    done: dict[str, Any] = {"pruned": [], "spared": [], "refs": 0, "unmerged_refs": []}
    if not found:
        return done
    with database_errors(paths.database_path()):
        remover = Remover(paths.database_path())
    with closing(remover), reading(paths.database_path()) as connection:
        for due in found:
            worktree = due.worktree if due.worktree and os.path.lexists(due.worktree) else None
            away = None if connection is None else work_away(connection, due.id)
            why = _spare(due, worktree, remove=not dry_run)
            if why is None and not dry_run:
                why = _remove(remover, paths, due)
            if why is None:
                done["pruned"].append(due.id)
                if away is not None:
                    gone, stay = prune_refs(away, dry_run=dry_run)
                    done["refs"] += len(gone)
                    done["unmerged_refs"] += stay
            else:
                spared = {"workflow_id": due.id, "worktree": worktree, "why": why}
                done["spared"].append(spared)
    return done


def _spare(due: Due, worktree: str | None, *, remove: bool) -> str | None:
    """Why a workflow with this worktree stays; None where its worktree is, or may be, gone."""
    if worktree is None:
        return None
    why = unmerged(Path(worktree), due.brought, due.merged)
    return remove_worktree(Path(worktree)) if why is None and remove else why


def _due(paths: Paths, before: str | None, keep: int) -> list[Due]:
    with reading(paths.database_path()) as connection:
        found = [] if connection is None else ended_workflows(connection, keep)
    return [
        _located(paths, one)
        for one in found
        if before is None or (one.ended_at and one.ended_at < before)
    ]


def _located(paths: Paths, one: Ended) -> Due:
    session, worktree = (text and str(paths.found(text)) for text in (one.session, one.worktree))
    return Due(one.id, session, worktree, one.brought, one.merged)


def _remove(remover: Remover, paths: Paths, due: Due) -> str | None:
    """Why it is still there, or None."""
    try:
        sessions = paths.sessions_dir()
        gone = remover.remove(due.id, lambda: _remove_session(sessions, due.id, due.session))
    except OSError as error:
        return f"its session folder cannot be removed: {error.strerror}"
    return None if gone else _BUSY


def _remove_session(sessions: Path, id: str, session: str | None) -> None:
    """Remove the folder, only where it is the workflow's own and inside the home; no links."""
    if session is None or not os.path.lexists(session):
        return
    folder = Path(session)
    inside = Path(os.path.realpath(folder)).is_relative_to(os.path.realpath(sessions))
    if folder.name == id and inside and stat.S_ISDIR(os.lstat(folder).st_mode):
        remove_tree(folder)
