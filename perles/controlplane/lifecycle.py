"""From the start of a workflow to its end, and on: the verbs that change its state."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from perles.controlplane.corrections import Corrections
from perles.controlplane.outcomes import Outcome
from perles.domain.duration import GRACE
from perles.domain.errors import UsageError
from perles.workflows.ids import new_id


class Lifecycle(Corrections):
    """The life of workflows."""

    def start(self, ref: str, *, wait: bool = True, with_engine: bool = False) -> Outcome:
        """Start a pending workflow, as soon as there is room for it.

        `with_engine` brings up an engine where none runs, or where the one that runs ends
        just before it takes this command.
        """
        from perles.domain.commands import Start

        return self._request(ref, Start(), wait=wait, with_engine=with_engine)

    def pause(self, ref: str, *, reason: str | None = None, wait: bool = True) -> Outcome:
        """Pause a running workflow; its messages wait."""
        from perles.domain.commands import Pause

        return self._request(ref, Pause(reason=reason), wait=wait)

    def resume(self, ref: str, *, wait: bool = True, with_engine: bool = False) -> Outcome:
        """Resume a paused workflow; `with_engine` as for `start`."""
        from perles.domain.commands import Resume

        return self._request(ref, Resume(), wait=wait, with_engine=with_engine)

    def stop(
        self,
        ref: str,
        *,
        reason: str | None = None,
        force: bool = False,
        grace: float = GRACE,
        wait: bool = True,
    ) -> Outcome:
        """Stop a workflow for good. Its agents have `grace` seconds to exit, none with `force`."""
        from perles.domain.commands import Stop

        asked = Stop(reason=reason, force=force, grace=grace)
        return self._request(ref, asked, wait=wait)

    def fail(self, ref: str, reason: str, *, wait: bool = True) -> Outcome:
        """End a workflow as failed, with a reason."""
        from perles.domain.commands import Fail

        return self._request(ref, Fail(reason=reason), wait=wait)

    def archive(self, ref: str, *, wait: bool = True) -> Outcome:
        """Archive an ended workflow: only `list --all` shows it."""
        from perles.domain.commands import Archive

        return self._request(ref, Archive(), wait=wait)

    def set(
        self,
        ref: str,
        *,
        priority: str | None = None,
        token_budget: int | None = None,
        cost_budget: float | None = None,
    ) -> Outcome:
        """Change the priority or the budgets of a workflow; a budget of 0 means no limit.

        Raises `UsageError` for values that cannot be, `WrongStateError` when it has ended.
        """
        from perles.domain.commands import Set

        asked = Set(priority=priority, token_budget=token_budget, cost_budget=cost_budget)
        return self._request(ref, asked)

    def rename(self, ref: str, name: str) -> Outcome:
        """Rename a workflow in any state. Raises `UsageError`."""
        from perles.domain.commands import Rename

        return self._request(ref, Rename(name=name))

    def label(
        self, ref: str, add: Mapping[str, str] | None = None, remove: Sequence[str] = ()
    ) -> Outcome:
        """Add labels to a workflow, and remove those with the keys in `remove`; in any state.

        Raises `UsageError`.
        """
        from perles.domain.commands import Label

        if not isinstance(add or {}, Mapping) or not isinstance(remove, Iterable):
            raise UsageError(f"cannot label with {add!r} and {remove!r}: give a mapping, and keys")
        return self._request(ref, Label(add=dict(add or {}), remove=tuple(remove)))

    def retry(self, ref: str, *, reconfigure: bool = False) -> str:
        """Create a pending workflow that continues a failed or stopped one; return its id.

        What was done stays done. Agent CLIs are set up as they were for the old one, or, to
        `reconfigure`, as its work dir's configuration says now. Raises `NotFoundError`,
        `WrongStateError`, and `UsageError` for a configuration that is wrong.
        """
        from perles.workflows.retry import Kept, insert_retry

        old_id = self.registry.resolve(ref)
        retry_id = new_id()
        asker = self._asker("retry", old_id)
        providers = None
        if reconfigure:
            folder = Path(self.get(old_id)["work_dir"])
            providers = Kept(self.config(folder).providers.text or None)
        self._database.write(lambda tx: insert_retry(tx, old_id, retry_id, asker, providers))
        return retry_id
