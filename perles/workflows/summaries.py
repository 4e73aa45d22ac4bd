"""A workflow's summary with what only the repository and the disk tell: commits, files, folder."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from perles.store.reads.summary import summary
from perles.store.reads.worktrees import worktree_of

Json = dict[str, Any]


def whole_summary(connection: Any, workflow_id: str) -> Json:
    """What a workflow came to, as `show --summary --json` has it. Asks git; may block.

    Of a workflow with a branch of its own all commits are there, also commits that no task's
    receipt has: commands that commit leave none. Raises `NotFoundError`.
    """
    found = summary(connection, workflow_id)
    found["work_dir_exists"] = Path(found["work_dir"]).is_dir()
    found["branch"] = found["repository"] = None
    one = None if connection is None else worktree_of(connection, workflow_id)
    if one is not None and one["branch"]:
        found["branch"], found["repository"] = one["branch"], one["repository"]
        _add_branch(found, one)
    return found


def _add_branch(found: Json, one: Json) -> None:
    from perles.workspace.branch_work import branch_work
    from perles.workspace.git import GitError

    try:
        work = branch_work(Path(one["repository"]), one["base_commit"], one["branch"])
    except GitError:
        return  # the branch was not made yet, or is gone: receipts tell what they have
    known = {commit["id"]: commit for commit in found["commits"]}
    on_branch = [
        known.pop(id, None) or {"id": id, "subject": subject} for id, subject in work.commits
    ]
    found["commits"] = [*on_branch, *known.values()]
    found["files"] = list(dict.fromkeys([*work.files, *found["files"]]))
    found["commits_known"] = True
