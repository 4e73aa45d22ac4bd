"""The refs of work that came back from nodes: they go with their workflow, unmerged work stays."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from perles.workspace.git import GitError, git
from perles.workspace.refs import common_dir, delete_ref, refs_below
from perles.workspace.replica.names import kept_refs, work_refs

if TYPE_CHECKING:
    from perles.store.reads.connection import Connection

_ROOT: Final = Path("/")
_WORK: Final = (
    "SELECT type, payload FROM events WHERE workflow_id = ? "
    "AND type IN ('work.returned', 'work.late', 'work.conflict') ORDER BY seq"
)


class Away(NamedTuple):
    """What a workflow did on nodes: where its refs are, and those whose work is in its work dir."""

    workflow_id: str
    repository: str
    returned: frozenset[str]


def work_away(connection: Connection, workflow_id: str) -> Away | None:
    """What is to be asked of git once the workflow is gone; None where it did nothing on nodes."""
    last: dict[str, str] = {}
    for kind, payload in connection.execute(_WORK, (workflow_id,)):
        ref = json.loads(payload).get("ref")
        if ref:
            last[ref] = kind
    query = "SELECT work_dir FROM workflows WHERE id = ?"
    row = connection.execute(query, (workflow_id,)).fetchone()
    if not last or row is None:
        return None
    there = frozenset(ref for ref, kind in last.items() if kind == "work.returned")
    try:  # now, while a worktree is still there
        return Away(workflow_id, common_dir(Path(str(row[0]))), there)
    except GitError:
        return None  # the repository is gone, or moved: its refs with it


def prune_refs(away: Away, *, dry_run: bool) -> tuple[list[str], list[str]]:
    """Remove the refs of a workflow that is gone; the removed refs, and the refs that stay.

    One stays whose work was never joined, such as that of a turn that was given up, and whose
    commits are in no branch: nothing else has it. What git cannot tell of stays, too.
    """
    try:
        listed = _refs(away, work_refs(away.workflow_id))
    except GitError:
        return [], []  # it is gone meanwhile
    gone, stay = [], []
    for ref in listed:
        try:
            if ref not in away.returned and not _is_merged(away, ref):
                stay.append(ref)
                continue
            if not dry_run:
                _delete(away, ref)
            gone.append(ref)
        except GitError:
            stay.append(ref)
    if not dry_run:
        _drop_notes(away)
    return gone, stay


# All of it asks the repository itself: a worktree of it may be gone by now.


def _refs(away: Away, prefix: str) -> list[str]:
    return refs_below(_ROOT, prefix, f"--git-dir={away.repository}")


def _delete(away: Away, ref: str) -> None:
    delete_ref(_ROOT, ref, f"--git-dir={away.repository}")


def _is_merged(away: Away, ref: str) -> bool:
    """Whether all commits of a ref are in branches. Raises `GitError`."""
    count = ("rev-list", "--count", ref, "--not", "--branches", "--remotes")
    return git(_ROOT, f"--git-dir={away.repository}", *count) == "0"


def _drop_notes(away: Away) -> None:
    """What was noted of nodes: what both sides had, and which turns were under way."""
    try:
        for ref in _refs(away, kept_refs(away.workflow_id)):
            _delete(away, ref)
    except GitError:
        return  # they hold nothing that anybody made
