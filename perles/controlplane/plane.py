"""ControlPlane: the one façade, for the command line, the dashboard and scripts alike.

Reading needs nothing but the database. Changing appends a command to it; the
engine of this database carries that out. SQLAlchemy, Alembic and the engine are
imported only by what needs them: `perles list` must stay quick.
"""

from __future__ import annotations

import os
import secrets
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from perles.controlplane.engine_host import POLL
from perles.controlplane.landing import Landing
from perles.controlplane.outcomes import Outcome, Request, failure_of, outcome_of, waits_for_engine
from perles.controlplane.subscriptions import Subscriptions
from perles.controlplane.upkeep import Upkeep
from perles.domain.duration import GRACE
from perles.domain.errors import NoEngineError, UsageError
from perles.store.reads import engine
from perles.store.reads import workflow as reads_workflow
from perles.store.reads.connection import reading
from perles.store.reads.references import resolve

if TYPE_CHECKING:
    from perles.controlplane.provider_trial import Trial
    from perles.doctor.finding import Finding
    from perles.domain.commands import Command
    from perles.domain.specs import WorkflowSpec
    from perles.templates.catalog import Catalog

_ID_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz23456789"
MAX_MESSAGE: Final = 1024 * 1024
"""Characters of a message to an agent."""
MAX_REASON: Final = 1000
"""Characters of a reason that agents are told."""
_MAX_ERRANDS: Final = 3
"""Tries to carry out a command here; another engine may come up and take it, and end."""


class ControlPlane(Subscriptions, Upkeep, Landing):
    """Everything that can be done with the workflows of one home folder."""

    def create(self, spec: WorkflowSpec) -> str:
        """Create a pending workflow with all its tasks in one transaction; its id.

        Raises `UsageError` for whatever is wrong with the spec, before anything is written.
        """
        from perles.access import origin
        from perles.workflows.create import insert_workflow, prepare

        prepared = prepare(spec, self.paths, self.config())
        workflow_id = _new_id()
        asked_by = origin.here(self.database_path)
        self._database.write(lambda tx: insert_workflow(tx, workflow_id, prepared, asked_by))
        return workflow_id

    def preview(self, spec: WorkflowSpec) -> list[dict[str, Any]]:
        """The tasks that `create` would make, in order: key, name, after, and who does each.

        Nothing is written. Raises `UsageError` for whatever is wrong with the spec.
        """
        from perles.workflows.create import preview

        return preview(spec, self.paths, self.config())

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

    def reload_config(self) -> dict[str, list[str]]:
        """Have the engine take up the configuration; by key, what was and what is.

        Raises `UsageError` for a wrong one, `NoEngineError`.
        """
        from perles.domain.commands import Reload
        from perles.workflows.commands import append_for_engine

        self.engine_config()
        if not self.engine_runs():
            raise NoEngineError("no engine runs: the next one reads the configuration by itself")
        asker = self.need_person("reload the configuration")
        command_id = self._database.write(lambda tx: append_for_engine(tx, Reload(), asker))
        while True:
            with reading(self.database_path) as connection:
                command = engine.command(connection, command_id)
            if command["status"] == "succeeded":
                changes: dict[str, list[str]] = command["result"]["changes"]
                return changes
            if command["status"] in ("failed", "rejected"):
                raise failure_of(command)
            if not self.engine_runs():
                raise NoEngineError("the engine ended; the next one reads the configuration")
            time.sleep(POLL)

    def start(self, ref: str, *, wait: bool = True, with_engine: bool = False) -> Outcome:
        """Start a pending workflow, as soon as there is room for it.

        `with_engine` brings up an engine where none runs, or where the one that runs ends
        just before it takes this command.
        """
        from perles.domain.commands import Start

        return self._request(ref, Start(), wait=wait, with_engine=with_engine)

    def pause(self, ref: str, *, reason: str | None = None, wait: bool = True) -> Outcome:
        """Interrupt a running workflow; its messages wait."""
        from perles.domain.commands import Pause

        return self._request(ref, Pause(reason=reason), wait=wait)

    def resume(self, ref: str, *, wait: bool = True, with_engine: bool = False) -> Outcome:
        """Go on with a paused workflow; `with_engine` as for `start`."""
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
        """End a workflow for good. Its agents have `grace` seconds to end, none with `force`."""
        from perles.domain.commands import Stop

        asked = Stop(reason=reason, force=force, grace=grace)
        return self._request(ref, asked, wait=wait)

    def fail(self, ref: str, reason: str, *, wait: bool = True) -> Outcome:
        """End a workflow as failed, with a reason."""
        from perles.domain.commands import Fail

        return self._request(ref, Fail(reason=reason), wait=wait)

    def archive(self, ref: str, *, wait: bool = True) -> Outcome:
        """Put an ended workflow out of sight: only `list --all` shows it."""
        from perles.domain.commands import Archive

        return self._request(ref, Archive(), wait=wait)

    def send(self, ref: str, text: str, *, to: str = "coordinator", wait: bool = True) -> Outcome:
        """Queue a message for an agent; it reads it at its next turn.

        Raises `UsageError` for an empty or too long text, `NotFoundError` for an agent
        that is not there, `WrongStateError` for a workflow that has ended.
        """
        from perles.domain.commands import Send

        if not text.strip():
            raise UsageError("cannot send nothing: give a text")
        if len(text) > MAX_MESSAGE:
            raise UsageError(f"cannot send this: it is over {MAX_MESSAGE} characters; use a file")
        return self._request(ref, Send(text=text, to=to), wait=wait)

    def post(
        self,
        ref: str,
        text: str,
        *,
        channel: str = "general",
        reply: int | None = None,
        wait: bool = True,
    ) -> Outcome:
        """Post in a channel as the user, or with `reply` in the thread that this post is in.

        Idle agents that it concerns are started with it: those that it names (`@worker-1`,
        `@here`), those that follow the channel, those in the thread. Raises `UsageError` for an
        empty or too long text, `NotFoundError` for a channel or post that is not there,
        `WrongStateError` for a workflow that has ended.
        """
        from perles.domain.channels import MAX_POST
        from perles.domain.commands import Post

        if not text.strip():
            raise UsageError("cannot post nothing: give a text")
        if len(text) > MAX_POST:
            raise UsageError(f"cannot post this: it is over {MAX_POST} characters; use a file")
        return self._request(ref, Post(text=text, channel=channel, reply=reply), wait=wait)

    def mark_read(self, ref: str, channel: str, up_to: int) -> None:
        """The person has read a channel up to this post. Raises `NotFoundError`."""
        from perles.fabric.channels import mark_read

        self.need_person("mark a channel as read")
        workflow_id = self.registry.resolve(ref)
        self._database.write(lambda tx: mark_read(tx, workflow_id, channel, up_to))

    def agent(
        self,
        ref: str,
        verb: str,
        name: str = "",
        *,
        reason: str = "",
        provider: str | None = None,
        force: bool = False,
    ) -> Outcome:
        """Add a worker (`spawn`), or `stop`, `resume`, `retire` or `replace` the agent `name`.

        Needs a running workflow and an engine. `force` leaves a turn no time; a worker
        may be of another `provider` where a task asks for one. Raises `UsageError`,
        `NotFoundError`, `WrongStateError`, and `CommandFailedError` beyond a limit.
        """
        from perles.domain.commands import ON_AGENTS

        if verb not in ON_AGENTS:
            raise UsageError(f"cannot {verb} an agent: it is one of {', '.join(ON_AGENTS)}")
        if verb != "spawn" and not name:
            raise UsageError(f"cannot {verb} an agent without its name; perles agents shows them")
        asked = ON_AGENTS[verb](
            agent=name, reason=reason[:MAX_REASON], provider=provider, force=force
        )
        return self._request(ref, asked)

    def tasks(self, ref: str | None = None, *, waiting: bool = False) -> Sequence[dict[str, Any]]:
        """Tasks, as `tasks --json` has them, of one workflow or of all; only those that wait."""
        from perles.store.reads import inbox

        with reading(self.database_path) as connection:
            workflow_id = None if ref is None else resolve(connection, ref)
            return inbox.tasks(connection, workflow_id, waiting=waiting)

    def approve(self, ref: str, task: str, message: str | None = None) -> Outcome:
        """Say yes to a task that waits for a person. Raises `NotFoundError`, `WrongStateError`."""
        from perles.domain.commands import Approve

        return self._request(ref, Approve(task=task, message=message))

    def deny(self, ref: str, task: str, message: str) -> Outcome:
        """Say no, with the reason. Raises `NotFoundError`, `UsageError`, `WrongStateError`."""
        from perles.domain.commands import Deny

        if not message.strip():
            raise UsageError("cannot deny a task without a reason")
        return self._request(ref, Deny(task=task, message=message))

    def answer(self, ref: str, text: str, question: int | None = None) -> Outcome:
        """Answer an agent's question by its number, or the only one that waits in the workflow.

        The agent gets the answer as a message. "" is the question's default answer, a number one
        of its options. Raises `NotFoundError`, `UsageError`, and `WrongStateError` for one that
        was answered before.
        """
        from perles.domain.commands import AnswerQuestion

        if question is None:
            waiting = [found["question"] for found in self.questions(ref)]
            if len(waiting) != 1:
                numbers = ", ".join(str(number) for number in waiting) or "none"
                raise UsageError(
                    f"cannot tell which question of {ref} is answered: {numbers} wait; "
                    "give a number"
                )
            (question,) = waiting
        return self._request(ref, AnswerQuestion(question=question, text=text))

    def inbox(self, *, everything: bool = False) -> Sequence[dict[str, Any]]:
        """What waits for a person, newest first, as `inbox --json` has it."""
        from perles.store.reads import inbox

        with reading(self.database_path) as connection:
            return inbox.inbox(connection, everything=everything)

    def ack(self, numbers: Sequence[int] = (), *, everything: bool = False) -> int:
        """Take note of inbox entries by their seq; how many. Raises `NotFoundError`."""
        from perles.workflows.inbox import insert_acks

        origin = self.need_person("acknowledge inbox entries")
        if everything:
            numbers = [
                item["seq"] for item in self.inbox() if item["kind"] not in ("approval", "question")
            ]
        return self._database.write(lambda tx: insert_acks(tx, numbers, origin))

    def retry(self, ref: str, *, reconfigure: bool = False) -> str:
        """Create a pending workflow that goes on where a failed or stopped one ended; its id.

        What was done stays done. Agent CLIs are set up as they were for the old one, or, to
        `reconfigure`, as its work dir's configuration says now. Raises `NotFoundError`,
        `WrongStateError`, and `UsageError` for a configuration that is wrong.
        """
        from perles.workflows.retry import Kept, insert_retry

        if not self.database_path.exists():
            self.get(ref)
        with reading(self.database_path) as connection:
            old_id = resolve(connection, ref)
        new_id = _new_id()
        asker = self._asker("retry", old_id)
        providers = None
        if reconfigure:
            folder = Path(self.get(old_id)["work_dir"])
            providers = Kept(self.config(folder).providers.text or None)
        self._database.write(lambda tx: insert_retry(tx, old_id, new_id, asker, providers))
        return new_id

    def list(self, **filters: Any) -> list[dict[str, Any]]:
        """Workflows in the shape of `list --json`, newest first; filters as in `WorkflowFilter`.

        `states` may be one text, `"running,paused"`, and `labels` a mapping. Raises `UsageError`.
        """
        from perles.domain.workflow_filter import filter_of

        return self.registry.list(filter_of(**filters)).rows

    def doctor(self, ref: str | None = None) -> Sequence[Finding]:
        """What is wrong with a workflow, or with this machine, and what to do about it.

        Raises `NotFoundError`, `AmbiguousIdError`; a wrong configuration is a finding.
        """
        from perles.doctor import machine, workflow

        config, error, ignored = self._config_or_error()
        if ref is None:
            around = machine.Surroundings(self.paths, os.environ, config, error, ignored)
            return machine.examine(around)
        with reading(self.database_path) as connection:
            shown = reads_workflow.show_workflow(connection, resolve(connection, ref))
            assert connection is not None
            case = workflow.Case(connection, shown, config, self.engine_runs())
            return workflow.examine(case)

    def staff(self, workflow_id: str) -> frozenset[str]:
        """The providers that a workflow's agents may be of."""
        from perles.store.reads.agents import staff

        with reading(self.database_path) as connection:
            return staff(connection, workflow_id)

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

    def try_provider(self, choice: str) -> Trial:
        """Run one real turn of a provider, `name` or `name:model`; how it went.

        Raises `UsageError` for one that is unknown or not installed.
        """
        from perles.controlplane.provider_trial import trial

        return trial(self, choice)

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

    def templates(self, work_dir: Path) -> Catalog:
        """The templates that somebody in `work_dir` can use."""
        from perles.workflows.create import catalog

        return catalog(self.paths, work_dir)

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
        from perles.workflows.commands import append_command

        if not self.database_path.exists():
            self.get(ref)  # says that there is no such workflow
        with reading(self.database_path) as connection:
            workflow_id = resolve(connection, ref)
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
            elif not self.engine_runs():
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


def _new_id() -> str:
    return "wf-" + "".join(secrets.choice(_ID_LETTERS) for _ in range(8))
