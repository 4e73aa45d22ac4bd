"""What workflows are made of and use up: providers, templates, limits, configuration."""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

from perles.controlplane.engine_host import EngineHost
from perles.controlplane.engine_status import POLL
from perles.controlplane.outcomes import failure_of
from perles.domain.errors import NoEngineError
from perles.store.reads import engine
from perles.store.reads.connection import reading

if TYPE_CHECKING:
    from perles.templates.catalog import Catalog


class Catalogs(EngineHost):
    """Providers and templates that there are; what the engine holds of limits and settings."""

    def providers(self) -> Sequence[dict[str, Any]]:
        """The providers that can be named, in the shape of `providers --json`."""
        from perles.agents.discovery import survey
        from perles.domain.clock import SystemClock, to_text
        from perles.store.reads.agents import provider_holds, provider_limits

        now = to_text(SystemClock().now())
        with reading(self.database_path) as connection:
            holds = provider_holds(connection)
            limits = provider_limits(connection, now)
        found = survey(self.config().providers, os.environ)
        for provider in found:
            hold = holds.get(provider["name"], {})
            hold = hold if hold.get("until", "") > now else {}
            provider["held_until"] = hold.get("until")
            provider["held_because"] = hold.get("reason")
            provider["held_by"] = hold.get("said_by")
            provider["windows"] = limits.get(provider["name"], [])
        return found

    def staff(self, workflow_id: str) -> frozenset[str]:
        """The providers that a workflow's agents may be of."""
        from perles.store.reads.agents import staff

        with reading(self.database_path) as connection:
            return staff(connection, workflow_id)

    def resume_provider(self, name: str) -> str:
        """Let a provider that is on hold be asked again; what its hold was for.

        Raises `NotFoundError` for one that is not on hold.
        """
        from perles.engine.resources import provider_holds

        self.need_person("resume a provider")
        return self._database.write(lambda tx: provider_holds.resume(tx, name))

    def reset_total(self, resource: str, reason: str) -> float:
        """Count `tokens` or `cost_usd` of all workflows together from 0 again; what it was.

        What each workflow used stays. Raises `UsageError` without a reason.
        """
        from perles.engine.resources import totals

        self.need_person("reset what all workflows used")
        return self._database.write(lambda tx: totals.reset(tx, resource, reason))

    def reload_config(self) -> dict[str, Any]:
        """Have the engine take up the configuration: what `config reload --json` prints.

        `changes` tells by key what was and what is, `at_restart` which keys the next engine takes
        up.

        Raises `UsageError` for a wrong one, `NoEngineError`.
        """
        from perles.domain.commands import Reload
        from perles.workflows.commands import append_for_engine

        self.engine_config()
        if not self.is_attended():
            raise NoEngineError("no engine runs: the next one reads the configuration by itself")
        asker = self.need_person("reload the configuration")
        command_id = self._database.write(lambda tx: append_for_engine(tx, Reload(), asker))
        while True:
            with reading(self.database_path) as connection:
                command = engine.command(connection, command_id)
            if command["status"] == "succeeded":
                result: dict[str, Any] = command["result"]
                return result
            if command["status"] in ("failed", "rejected"):
                raise failure_of(command)
            if not self.is_attended():
                raise NoEngineError("the engine ended; the next one reads the configuration")
            time.sleep(POLL)

    def templates(self, work_dir: Path) -> Catalog:
        """The templates that somebody in `work_dir` can use."""
        from perles.workflows.create import catalog

        return catalog(self.paths, work_dir)
