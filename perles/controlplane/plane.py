"""ControlPlane: the one façade, for the command line, the dashboard and scripts alike.

Reading needs nothing but the database. Changing appends a command to it; the
engine of this database carries that out. SQLAlchemy, Alembic and the engine are
imported only by what needs them: `perles list` must stay quick.

Here is what finds workflows and their faults; each other subject has its module, whose class
this one inherits from.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from perles.controlplane.catalogs import Catalogs
from perles.controlplane.conversation import Conversation
from perles.controlplane.creation import Creation
from perles.controlplane.lifecycle import Lifecycle
from perles.controlplane.nodes import Nodes
from perles.controlplane.pull_requests import PullRequests
from perles.controlplane.subscriptions import Subscriptions
from perles.controlplane.tokens import Tokens
from perles.controlplane.upkeep import Upkeep

if TYPE_CHECKING:
    from perles.controlplane.provider_trial import Trial
    from perles.doctor.finding import Finding


class ControlPlane(
    Creation,
    Upkeep,
    Lifecycle,
    Conversation,
    Catalogs,
    Subscriptions,
    PullRequests,
    Tokens,
    Nodes,
):
    """All operations on the workflows of one home folder."""

    def list(self, **filters: Any) -> list[dict[str, Any]]:
        """Workflows in the shape of `list --json`, newest first; filters as in `WorkflowFilter`.

        `states` may be one text, `"running,paused"`, and `labels` a mapping. Raises `UsageError`.
        """
        from perles.domain.workflow_filter import filter_of

        return self.registry.list(filter_of(**filters)).rows

    def doctor(self, ref: str | None = None) -> Sequence[Finding]:
        """The problems of a workflow, or of this machine, with advice.

        Raises `NotFoundError`, `AmbiguousIdError`; a wrong configuration is a finding.
        """
        from perles.doctor import machine, workflow
        from perles.store.reads.connection import reading
        from perles.store.reads.references import resolve
        from perles.store.reads.workflow import show_workflow

        config, error, ignored = self._config_or_error()
        if ref is None:
            around = machine.Surroundings(self.paths, os.environ, config, error, ignored)
            return machine.examine(around)
        with reading(self.database_path) as connection:
            shown = show_workflow(connection, resolve(connection, ref))
            assert connection is not None
            case = workflow.Case(connection, shown, config, self.engine_runs())
            return workflow.examine(case)

    def try_provider(self, choice: str) -> Trial:
        """Run one real turn of a provider, `name` or `name:model`; how it went.

        Raises `UsageError` for one that is unknown or not installed.
        """
        from perles.controlplane.provider_trial import trial

        return trial(self, choice)
