"""Asking for something to be done: a command is appended, and its end is waited for."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Final

from perles.controlplane.engine_host import EngineHost
from perles.controlplane.engine_status import POLL
from perles.controlplane.outcomes import Outcome, Request, failure_of, outcome_of, waits_for_engine
from perles.store.reads import engine
from perles.store.reads.connection import reading

if TYPE_CHECKING:
    from perles.domain.commands import Command

_MAX_ERRANDS: Final = 3
"""Tries to carry out a command here; another engine may come up and take it, and end."""


class Requests(EngineHost):
    """Commands to one home: queued, awaited, or, where none needs an engine, carried out here."""

    def request(self, ref: str, kind: str, args: Mapping[str, Any]) -> Request:
        """Queue a command of any kind; `outcome` tells what became of it.

        `args` are the fields of its class in `perles.domain.commands`. Raises `UsageError`
        for others, `NotFoundError`, `AmbiguousIdError`, and `WrongStateError` for a command
        that cannot succeed now.
        """
        from perles.domain.commands import from_mapping

        return self.ask(ref, from_mapping(kind, args))

    def ask(self, ref: str, command: Command) -> Request:
        """Queue a command, as `request` does."""
        from perles.domain.commands import checked
        from perles.workflows.commands import append_command

        command = checked(command)
        workflow_id = self.registry.resolve(ref)
        asker = self._asker(command.kind, workflow_id)
        command_id = self._database.write(
            lambda tx: append_command(tx, workflow_id, command, asker)
        )
        return Request(workflow_id, command_id, command.kind)

    def outcome(
        self,
        request: Request,
        *,
        with_engine: bool = False,
        give_up: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        """Wait for the end of a command. Raises the error that it met, with its exit code.

        With no engine running, one that needs no agent is carried out here and now.
        When `give_up` says so, which is asked again and again, it stays queued.
        """
        from perles.domain.commands import command_of

        workflow_id, command_id, kind = request
        errands = 0
        while True:
            with reading(self.database_path) as connection:
                command = engine.command(connection, command_id)
            if command["status"] == "succeeded":
                return outcome_of(workflow_id, kind, command["result"])
            if command["status"] in ("failed", "rejected"):
                raise failure_of(command)
            if give_up():
                return Outcome(
                    workflow_id, "queued", f"{kind} of {workflow_id} waits for the engine"
                )
            if with_engine:
                self.ensure_engine()
            elif not self.is_attended():
                if command_of(kind).needs_engine or errands == _MAX_ERRANDS:
                    return Outcome(workflow_id, "queued", waits_for_engine(request))
                errands += 1
                self._carry_out_here()
                continue
            time.sleep(POLL)

    def _request(
        self,
        ref: str,
        command: Command,
        *,
        wait: bool = True,
        with_engine: bool = False,
    ) -> Outcome:
        request = self.ask(ref, command)
        if not wait:
            text = f"queued {command.kind} of {request.workflow_id}"
            return Outcome(request.workflow_id, "queued", text)
        return self.outcome(request, with_engine=with_engine)

    def _carry_out_here(self) -> None:
        """Be the engine for the moment that commands without agents take."""
        from perles.domain.commands import WITHOUT_ENGINE
        from perles.engine.process import run_errand

        run_errand(self.paths, self.engine_config(), WITHOUT_ENGINE)
