"""A pipeline that failed goes on with a corrected file."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perles.controlplane.requests import Requests
from perles.workflows.ids import new_id

if TYPE_CHECKING:
    from perles.workflows.create import Prepared


class Corrections(Requests):
    """What is unchanged and done stays done; what changed runs."""

    def correct(
        self,
        ref: str,
        file: str | os.PathLike[str],
        *,
        args: Mapping[str, str] | None = None,
        from_tasks: Sequence[str] = (),
    ) -> str:
        """Create a pending workflow that continues `ref` with a corrected file; return its id.

        Tasks that are unchanged and done, and wait for such tasks alone, stay done; all others
        run, those in `from_tasks` (keys, groups, patterns) and what comes after them among them.
        `args` are values for parameters, over the ones that `ref` was given. Raises `UsageError`
        for what is wrong with the file, `NotFoundError`, and `WrongStateError` for a workflow
        that has not ended.
        """
        from perles.workflows.retry_file import insert_corrected

        old_id, prepared = self._corrected(ref, file, args)
        asker = self._asker("retry", old_id)
        return self._database.write(
            lambda tx: insert_corrected(tx, old_id, new_id(), asker, prepared, from_tasks)
        )

    def preview_correction(
        self,
        ref: str,
        file: str | os.PathLike[str],
        *,
        args: Mapping[str, str] | None = None,
        from_tasks: Sequence[str] = (),
    ) -> list[dict[str, Any]]:
        """What `correct` would do, a task at a time: key, name, what, why. Nothing is written.

        `what` is keep, run, add or drop. Raises as `correct` does.
        """
        from perles.workflows.correction import compare

        old_id, prepared = self._corrected(ref, file, args)
        with self._database.reader() as reader:
            found = compare(reader, old_id, prepared.plan, from_tasks)
        return [change._asdict() for change in found.changes]

    def _corrected(
        self, ref: str, file: str | os.PathLike[str], args: Mapping[str, str] | None
    ) -> tuple[str, Prepared]:
        from perles.store.schema.workflows import Workflow
        from perles.workflows.retry_file import Wanted, prepared_for

        old_id = self.registry.resolve(ref)
        with self._database.reader() as reader:
            old = reader.need(Workflow, old_id)
        wanted = Wanted(Path(file).expanduser(), args or {})
        folder = Path(old.work_dir if Path(old.work_dir).is_dir() else old.repository or ".")
        return old_id, prepared_for(old, wanted, self.paths, self.config(folder))
