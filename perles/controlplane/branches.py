"""Branches of workflows: their worktrees, and what becomes of them. A part of the façade."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

from perles.controlplane.engine_host import EngineHost
from perles.domain.errors import NotFoundError, PerlesError
from perles.domain.states import WORKFLOW
from perles.store.reads import worktrees as reads
from perles.store.reads.connection import reading
from perles.store.reads.references import resolve

if TYPE_CHECKING:
    from collections.abc import Sequence

Json = dict[str, Any]


class Branches(EngineHost):
    """What can be done with the worktrees of one home."""

    def worktree(self, ref: str) -> Json:
        """The worktree of a workflow. Raises `NotFoundError` where it has none."""
        with reading(self.database_path) as connection:
            workflow_id = resolve(connection, ref)
            assert connection is not None
            found = reads.worktree_of(connection, workflow_id)
        if found is None:
            raise NotFoundError(
                "worktree", workflow_id, "it works in its folder as it is; --worktree makes one"
            )
        return {"id": workflow_id, **found}

    def worktrees(self) -> Sequence[Json]:
        """All worktrees, as `worktrees list --json` has them. Asks git and the disk of each."""
        from perles.workspace.usage import bytes_below

        with reading(self.database_path) as connection:
            found = reads.worktrees(connection)
        rows = [one for one in found if Path(one["path"]).is_dir()]
        for one in rows:
            one["bytes"] = bytes_below(Path(one["path"]))
            one["uncommitted"], one["unmerged"], one["why"] = _work(one)
        return rows

    def worktree_bytes(self) -> tuple[int, int]:
        """Bytes that all worktrees use, and how many they may; 0 means no limit."""
        from perles.workspace.usage import bytes_below

        limit = self.engine_config().worktree_space.max_bytes
        return bytes_below(self.paths.worktrees_dir()), limit

    def clean_worktrees(
        self, refs: Sequence[str] = (), *, force: bool = False, dry_run: bool = False
    ) -> Json:
        """Remove worktrees of ended workflows, or those of `refs`; branches stay.

        One with uncommitted or unmerged work is spared, unless it is named and `force` given.
        What was removed and spared, as `worktrees clean --json` has it.
        """
        self.need_person("remove worktrees")
        with reading(self.database_path) as connection:
            wanted = {resolve(connection, ref) for ref in refs}
            found = reads.worktrees(connection)
        done: Json = {"removed": [], "spared": []}
        for one in found:
            if not Path(one["path"]).is_dir() or (wanted and one["id"] not in wanted):
                continue
            why = _spare(one, force=force and bool(wanted), dry_run=dry_run)
            about = {"workflow_id": one["id"], "path": one["path"], "branch": one["branch"]}
            if why is None:
                done["removed"].append(about)
                self._tell_session(one["id"], dry_run=dry_run)
            elif wanted or one["state"] in WORKFLOW.terminal:
                done["spared"].append({**about, "why": why})
        return done

    def _tell_session(self, workflow_id: str, *, dry_run: bool) -> None:
        """Have the session folder say where the work is now."""
        from perles.workflows import run_record

        if not dry_run:
            try:
                run_record.write(self.database_path, workflow_id)
            except OSError as error:
                raise PerlesError(
                    f"cannot write the session folder of {workflow_id}: {error.strerror}; its "
                    "worktree is removed"
                ) from error


def _spare(one: Json, *, force: bool, dry_run: bool) -> str | None:
    """Why a worktree stays; None where it is gone, or would be."""
    from perles.workspace.worktree import remove_worktree

    if one["state"] not in WORKFLOW.terminal:
        return f"its workflow is {one['state']}"
    why = None if force else _work(one)[2]
    if why is not None or dry_run:
        return why
    return remove_worktree(Path(one["path"]), force=True)


def _work(one: Json) -> tuple[Sequence[str], int, str | None]:
    from perles.workspace.worktree import work_in

    found = work_in(Path(one["path"]), brought(one), one["merged"])
    return list(found.uncommitted), found.commits, found.why


def brought(one: Json) -> Sequence[str]:
    """The files that came along when a worktree was made."""
    return [*one["files"].get("copy", ()), *one["files"].get("link", ())]
