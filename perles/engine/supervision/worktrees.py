"""The worktree of a workflow that starts: room for it, made in a thread, undone when it fails."""

import asyncio
import time
from collections.abc import Callable
from pathlib import Path

from perles.domain.errors import LimitReachedError
from perles.domain.size import format_size
from perles.engine import crash_points
from perles.engine.context import Context
from perles.store.events import journal
from perles.store.schema.workflows import Workflow
from perles.workspace import allocation
from perles.workspace.usage import bytes_below

_MEASURED_FOR = 10.0
"""Seconds for which a measurement of all worktrees holds: the line asks again and again."""

Undo = Callable[[], None]


class Worktrees:
    """Makes worktrees of workflows of one home."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._measured: tuple[float, int] | None = None

    async def ready(self, workflow: Workflow) -> Undo:
        """See that the workflow's worktree is there; what undoes that.

        Raises `WorktreeError`, and `LimitReachedError` where worktrees use too much.
        """
        if not workflow.worktree_enabled or workflow.worktree_path is None:
            return lambda: None
        wanted = self._wanted(workflow)
        if not wanted.path.exists():
            await self._need_space()
        crash_points.at("worktree.before-make")
        made = await asyncio.to_thread(allocation.allocate, wanted)
        crash_points.at("worktree.after-make")
        self._measured = None
        base = workflow.base_commit if not made.made else made.base_commit
        if base != workflow.base_commit:
            await self._context.writer.write(
                lambda tx: tx.update(Workflow, workflow.id, base_commit=base)
            )
        return lambda: allocation.undo(wanted, made)

    def _wanted(self, workflow: Workflow) -> allocation.Wanted:
        files = journal.decode(workflow.worktree_files or "{}")
        return allocation.Wanted(
            repository=Path(workflow.repository or workflow.work_dir),
            path=self._context.paths.found(workflow.worktree_path or ""),
            branch=workflow.branch or "",
            base=workflow.base_branch or workflow.base_commit,
            copy=files.get("copy", ()),
            link=files.get("link", ()),
            marker=("PERLES_WORKFLOW", workflow.id),
        )

    async def _need_space(self) -> None:
        limit = self._context.config.worktree_space.max_bytes
        if not limit:
            return
        now = time.monotonic()
        if self._measured is None or now - self._measured[0] > _MEASURED_FOR:
            folder = self._context.paths.worktrees_dir()
            self._measured = (now, await asyncio.to_thread(bytes_below, folder))
        used = self._measured[1]
        if used >= limit:
            raise LimitReachedError(
                f"worktrees use {format_size(used)} of {format_size(limit)}; "
                "perles worktrees clean makes room"
            )
