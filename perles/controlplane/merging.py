"""From a workflow's branch to another: what changed, merging, rebasing. A part of the façade."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from perles.controlplane.branches import Branches, Json, brought
from perles.domain.errors import NotFoundError, PerlesError, UsageError
from perles.domain.nearest import alike
from perles.store.reads import worktrees as reads
from perles.store.reads.connection import reading
from perles.store.reads.tasks import commits_of_tasks

if TYPE_CHECKING:
    from perles.access.origin import Origin
    from perles.workspace.changes import FileChange, View
    from perles.workspace.merging import Merged

T = TypeVar("T")


class Merging(Branches):
    """What becomes of the work in worktrees."""

    def diff(
        self,
        ref: str,
        paths: Sequence[str] = (),
        *,
        task: str | None = None,
        with_patch: bool = True,
    ) -> Json:
        """The changes of a workflow since its base, with uncommitted and untracked files.

        With `task` only that task's commits, as its receipt has them. `paths` are below the
        worktree. In the shape of `diff --json`, with `patch` where it is asked for. Raises
        `NotFoundError`, and `PerlesError` where git cannot tell.
        """
        one = self.worktree(ref)
        views = self._views(one, paths, task)
        found = _asked(one["id"], lambda: [_changes(view, with_patch) for view in views])
        result = {
            "id": one["id"],
            "branch": one["branch"],
            "base": views[0].base,
            "head": views[-1].head,
            "files": [file._asdict() for files, _ in found for file in files],
        }
        return result | ({"patch": "".join(text for _, text in found)} if with_patch else {})

    def merge(
        self,
        ref: str,
        *,
        into: str | None = None,
        squash: bool = False,
        message: str | None = None,
        checks: bool = True,
        tell: Callable[[str], None] = lambda _: None,
    ) -> Json:
        """Merge a workflow's branch into another one (default: its base).

        All or nothing, and once: `already` tells that the target has it. The checks of its
        pipeline must pass first, unless `checks` is False; `tell` is given each before it runs.
        In the shape of `merge --json`. Raises `MergeError` with what is in the way,
        `CheckFailedError`, `PersonNeededError`.
        """
        from perles.engine import crash_points
        from perles.workspace import merging

        by = self.need_person("merge a branch")
        one = self.worktree(ref)
        target = into or one["base_branch"]
        if not target:
            raise UsageError(
                f"cannot tell the target branch of {one['branch']}: give --into BRANCH"
            )
        need_committed(one, "merge")
        text = message or f"Merge {self.get(one['id'])['name']} ({one['id']})"
        repository = Path(one["repository"])
        passed: list[str] = []
        verify = self._verify(one, target, passed, tell) if checks and one["merge"] else None
        wanted = merging.Asked(repository, one["branch"], target, text, squash, verify)

        def do() -> merging.Merged:
            with merging.locked(self.paths.worktrees_dir(), repository):
                return merging.merge(wanted)

        done = _asked(one["id"], do)
        crash_points.at("merge.before-record")
        return self._kept(one, done, {"into": target, "squash": squash, "checks": passed}, by)

    def _kept(self, one: Json, done: Merged, about: Json, by: Origin) -> Json:
        """Keep a merge, unless that is so already; what is kept."""
        from perles.workflows.merging import record_merge

        before = one["merged"] or {}
        if (before.get("tip"), before.get("into")) == (done.tip, about["into"]):
            return {"id": one["id"], "checks": [], **before, "already": True}
        record = {**about, "commit": done.commit, "tip": done.tip}
        kept = self._database.write(lambda tx: record_merge(tx, one["id"], record, by))
        return {"id": one["id"], **kept, "already": done.already}

    def _verify(
        self, one: Json, target: str, passed: list[str], tell: Callable[[str], None]
    ) -> Callable[[str], None]:
        """Runs the checks of a merge on the commit that it makes; `passed` has them afterwards."""
        from perles.domain.execution import Execution
        from perles.engine import crash_points
        from perles.workspace import merge_checks
        from perles.workspace.merging import CheckFailedError

        how = Execution.of(one["merge"])
        assert how.check is not None
        checks = merge_checks.MergeChecks(
            how.check.commands,
            how.program,
            how.check.timeout,
            self.paths.worktrees_dir(),
            one["files"].get("copy", ()),
            one["files"].get("link", ()),
        )
        environ = {**os.environ, "PERLES_WORKFLOW": one["id"]}

        def verify(commit: str) -> None:
            crash_points.at("merge.before-checks")
            failed = merge_checks.run_checks(checks, Path(one["repository"]), commit, environ, tell)
            crash_points.at("merge.after-checks")
            if failed is not None:
                raise CheckFailedError(f"cannot merge {one['branch']} into {target}", *failed)
            passed[:] = checks.commands

        return verify

    def rebase(self, ref: str, *, onto: str | None = None) -> Json:
        """Rebase a workflow's branch onto its current base; no agent may be working.

        In the shape of `rebase --json`. Raises `MergeError` for a conflict, `WrongStateError`.
        """
        from perles.domain.errors import WrongStateError
        from perles.workflows.merging import record_rebase
        from perles.workspace import merging, rebasing

        by = self.need_person("rebase a branch")
        one = self.worktree(ref)
        state = self.get(one["id"])["state"]
        if state == "running":
            raise WrongStateError("workflow", one["id"], state, "rebase")
        target = onto or one["base_branch"] or one["base_commit"]
        need_committed(one, "rebase")
        path, repository = Path(one["path"]), Path(one["repository"])

        def do() -> tuple[str, int]:
            with merging.locked(self.paths.worktrees_dir(), repository):
                there = path if path.is_dir() else None
                return rebasing.rebase(repository, one["branch"], target, there)

        base, commits = _asked(one["id"], do)
        record = {"onto": target, "base": base, "commits": commits}
        self._database.write(lambda tx: record_rebase(tx, one["id"], record, by))
        return {"id": one["id"], "branch": one["branch"], **record}

    def overlap(self) -> Sequence[Json]:
        """Files that the branches of two or more workflows changed, and that are not merged yet.

        In the shape of `overlap --json`, by repository and path. What ended unmerged counts, too.
        """
        with reading(self.database_path) as connection:
            found = reads.worktrees(connection)
        changed: dict[tuple[str, str], list[str]] = {}
        for one in found:
            if one["merged"] is None and Path(one["path"]).is_dir():
                (view,) = self._views(one, (), None)
                for file in _asked(one["id"], lambda view=view: _files(view)):  # type: ignore[misc]
                    for path in filter(None, (file.path, file.old_path)):
                        changed.setdefault((one["repository"], path), []).append(one["id"])
        return [
            {"repository": repository, "path": path, "workflows": ids}
            for (repository, path), ids in sorted(changed.items())
            if len(ids) > 1
        ]

    def _views(self, one: Json, paths: Sequence[str], task: str | None) -> list[View]:
        from perles.workspace.changes import View, fork
        from perles.workspace.repository import commit_of

        there = Path(one["path"])
        folder = there if there.is_dir() else Path(one["repository"])
        head = None if folder == there else f"refs/heads/{one['branch']}"
        if head is not None and _asked(one["id"], lambda: commit_of(folder, head)) is None:
            raise PerlesError(
                f"cannot show what {one['id']} changed: there is no branch {one['branch']} in "
                f"{folder}; a start makes it"
            )
        if task is None:
            base = fork(folder, one["base_branch"], one["base_commit"], head or "HEAD")
            return [View(folder, base, head, brought(one), paths)]
        commits = self._commits(one["id"], task)
        return [View(folder, f"{commit}^", commit, (), paths) for commit in commits]

    def _commits(self, workflow_id: str, task: str) -> list[str]:
        """The commits of a task's receipt, oldest first."""
        with reading(self.database_path) as connection:
            assert connection is not None
            found = commits_of_tasks(connection, workflow_id)
        if task not in found:
            near = alike(task, found, 3)
            raise NotFoundError("task", task, f"perles tasks {workflow_id} lists them", near)
        commits = found[task]
        if not commits:
            raise PerlesError(
                f"cannot show what task {task} changed: it has no receipt of commits; without "
                "--task all that the workflow changed is shown"
            )
        return commits[::-1]


def _files(view: View) -> list[FileChange]:
    from perles.workspace.changes import files

    return files(view)


def _changes(view: View, with_patch: bool) -> tuple[list[FileChange], str]:
    from perles.workspace.changes import patch

    return _files(view), patch(view) if with_patch else ""


def need_committed(one: Json, step: str) -> None:
    """Raise `MergeError` where the worktree holds what the branch does not."""
    from perles.workspace.git import git
    from perles.workspace.merging import MergeError
    from perles.workspace.worktree import named, uncommitted

    path = Path(one["path"])
    if not path.is_dir():
        return
    cannot = f"cannot {step} {one['branch']}: "
    changed = _asked(one["id"], lambda: uncommitted(path, brought(one)))
    if changed:
        raise MergeError(
            f"{cannot}its worktree {path} has changes that are not committed: {named(changed)}; "
            "commit or remove them there"
        )
    on = _asked(one["id"], lambda: git(path, "rev-parse", "--abbrev-ref", "HEAD"))
    if on != one["branch"]:
        raise MergeError(f"{cannot}its worktree {path} is on {on} now; switch it back")


def _asked(workflow_id: str, work: Callable[[], T]) -> T:
    """What git tells. Raises `PerlesError` where it cannot."""
    from perles.workspace.git import GitError, told

    try:
        return work()
    except (GitError, OSError) as error:
        raise PerlesError(
            f"cannot look at the branch of {workflow_id}: {told(error)}; perles worktrees list "
            "shows it"
        ) from error
