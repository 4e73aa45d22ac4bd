"""ControlPlane: the one façade, for the command line, the dashboard and scripts alike.

Reading needs nothing but the database. Changing appends a command to it; the
engine of this database carries that out. SQLAlchemy, Alembic and the engine are
imported only by what needs them: `perles list` must stay quick.
"""

from __future__ import annotations

import os
import secrets
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from perles.domain.errors import (
    CommandFailedError,
    EngineRunsError,
    NoEngineError,
    PerlesError,
    UsageError,
)
from perles.paths import Paths, home
from perles.store import resource_views, views
from perles.store.lock import EngineLock

if TYPE_CHECKING:
    from perles.config import Config
    from perles.domain.specs import WorkflowSpec
    from perles.store.database import Database
    from perles.templates.catalog import Catalog

_POLL: Final = 0.025
_ENGINE_START_SECONDS: Final = 30.0
_ID_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz23456789"
MAX_MESSAGE: Final = 1024 * 1024
"""Characters of a message to an agent."""
_WITHOUT_ENGINE: Final = frozenset(
    {"stop", "pause", "fail", "archive", "set", "send", "approve", "deny"}
)
"""Commands that need no agent: with no engine running they are carried out at once."""
_KILL_SECONDS: Final = 20.0
"""How long an engine has to end after it was told to kill its agents."""
_MAX_ERRANDS: Final = 3
"""Tries to carry out a command here; another engine may come up and take it, and end."""


class Outcome(NamedTuple):
    """What became of a command. `status` is succeeded, waiting or queued; `text` is for people."""

    workflow_id: str
    status: str
    text: str


class Request(NamedTuple):
    """A command that was queued."""

    workflow_id: str
    command_id: int
    kind: str


class ControlPlane:
    """Everything that can be done with the workflows of one home folder."""

    def __init__(self, home_dir: Path | None = None, *, config_file: Path | None = None) -> None:
        self.paths = Paths(home_dir or home(os.environ))
        self._config_file = config_file

    @property
    def database_path(self) -> Path:
        """The SQLite file."""
        return self.paths.database_path()

    @cached_property
    def _database(self) -> Database:
        from perles.store import migrate
        from perles.store.database import Database

        self.paths.ensure_home()
        migrate.ensure(self.database_path)
        return Database(self.database_path)

    def config(self) -> Config:
        """The configuration as it holds here. Raises `UsageError`."""
        from perles.config import load

        return load(config_file=self._config_file)

    def create(self, spec: WorkflowSpec) -> str:
        """Create a pending workflow with all its tasks in one transaction; its id.

        Raises `UsageError` for whatever is wrong with the spec, before anything is written.
        """
        from perles.creation import insert_workflow, prepare

        prepared = prepare(spec, self.paths, self.config())
        workflow_id = _new_id()
        self._database.write(lambda tx: insert_workflow(tx, workflow_id, prepared))
        return workflow_id

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
        args = {"priority": priority, "token_budget": token_budget, "cost_budget": cost_budget}
        return self._request(ref, "set", args)

    def resources(self) -> list[dict[str, Any]]:
        """Every limit with what is used, who waits and who holds it: `resources --json`."""
        with views.reading(self.database_path) as connection:
            return resource_views.resources(connection)

    def reload_config(self) -> dict[str, list[str]]:
        """Have the engine take up the configuration; by key, what was and what is.

        Raises `UsageError` for a wrong one, `NoEngineError`.
        """
        from perles.requests import append_reload

        self.config()
        if not self.engine_runs():
            raise NoEngineError("no engine runs: the next one reads the configuration by itself")
        command_id = self._database.write(append_reload)
        while True:
            with views.reading(self.database_path) as connection:
                command = views.command(connection, command_id)
            if command["status"] == "succeeded":
                changes: dict[str, list[str]] = command["result"]["changes"]
                return changes
            if command["status"] in ("failed", "rejected"):
                raise _failure(command)
            if not self.engine_runs():
                raise NoEngineError("the engine ended; the next one reads the configuration")
            time.sleep(_POLL)

    def start(self, ref: str, *, wait: bool = True, with_engine: bool = False) -> Outcome:
        """Start a pending workflow, as soon as there is room for it.

        `with_engine` brings up an engine where none runs, or where the one that runs ends
        just before it takes this command.
        """
        return self._request(ref, "start", {}, wait=wait, with_engine=with_engine)

    def pause(self, ref: str, *, reason: str | None = None, wait: bool = True) -> Outcome:
        """Interrupt a running workflow; its messages wait."""
        return self._request(ref, "pause", {"reason": reason}, wait=wait)

    def resume(self, ref: str, *, wait: bool = True, with_engine: bool = False) -> Outcome:
        """Go on with a paused workflow; `with_engine` as for `start`."""
        return self._request(ref, "resume", {}, wait=wait, with_engine=with_engine)

    def stop(
        self,
        ref: str,
        *,
        reason: str | None = None,
        force: bool = False,
        grace: float = 10.0,
        wait: bool = True,
    ) -> Outcome:
        """End a workflow for good. Its agents have `grace` seconds to end, none with `force`."""
        args = {"reason": reason, "force": force, "grace": grace}
        return self._request(ref, "stop", args, wait=wait)

    def fail(self, ref: str, reason: str, *, wait: bool = True) -> Outcome:
        """End a workflow as failed, with a reason."""
        return self._request(ref, "fail", {"reason": reason}, wait=wait)

    def archive(self, ref: str, *, wait: bool = True) -> Outcome:
        """Put an ended workflow out of sight: only `list --all` shows it."""
        return self._request(ref, "archive", {}, wait=wait)

    def send(self, ref: str, text: str, *, to: str = "coordinator", wait: bool = True) -> Outcome:
        """Queue a message for an agent; it reads it at its next turn.

        Raises `UsageError` for an empty or too long text, `NotFoundError` for an agent
        that is not there, `WrongStateError` for a workflow that has ended.
        """
        if not text.strip():
            raise UsageError("cannot send nothing: give a text")
        if len(text) > MAX_MESSAGE:
            raise UsageError(f"cannot send this: it is over {MAX_MESSAGE} characters; use a file")
        return self._request(ref, "send", {"text": text, "to": to}, wait=wait)

    def tasks(self, ref: str | None = None, *, waiting: bool = False) -> Sequence[dict[str, Any]]:
        """Tasks, as `tasks --json` has them, of one workflow or of all; only those that wait."""
        from perles.store import inbox_views

        with views.reading(self.database_path) as connection:
            workflow_id = None if ref is None else views.resolve(connection, ref)
            return inbox_views.tasks(connection, workflow_id, waiting=waiting)

    def approve(self, ref: str, task: str, message: str | None = None) -> Outcome:
        """Say yes to a task that waits for a person. Raises `NotFoundError`, `WrongStateError`."""
        return self._request(ref, "approve", {"task": task, "message": message})

    def deny(self, ref: str, task: str, message: str) -> Outcome:
        """Say no, with the reason. Raises `NotFoundError`, `UsageError`, `WrongStateError`."""
        if not message.strip():
            raise UsageError("cannot deny a task without a reason")
        return self._request(ref, "deny", {"task": task, "message": message})

    def inbox(self, *, everything: bool = False) -> Sequence[dict[str, Any]]:
        """What waits for a person, newest first, as `inbox --json` has it."""
        from perles.store import inbox_views

        with views.reading(self.database_path) as connection:
            return inbox_views.inbox(connection, everything=everything)

    def ack(self, numbers: Sequence[int] = (), *, everything: bool = False) -> int:
        """Take note of inbox entries by their seq; how many. Raises `NotFoundError`."""
        from perles.acks import insert_acks

        if everything:
            numbers = [item["seq"] for item in self.inbox() if item["kind"] != "approval"]
        return self._database.write(lambda tx: insert_acks(tx, numbers))

    def retry(self, ref: str) -> str:
        """Create a pending workflow that goes on where a failed or stopped one ended; its id.

        What was done stays done. Raises `NotFoundError`, `WrongStateError`.
        """
        from perles.retry import insert_retry

        if not self.database_path.exists():
            self.get(ref)
        with views.reading(self.database_path) as connection:
            old_id = views.resolve(connection, ref)
        new_id = _new_id()
        self._database.write(lambda tx: insert_retry(tx, old_id, new_id))
        return new_id

    def get(self, ref: str) -> dict[str, Any]:
        """One workflow, as `show --json` has it. Raises `NotFoundError`, `AmbiguousIdError`."""
        with views.reading(self.database_path) as connection:
            return views.show_workflow(connection, views.resolve(connection, ref))

    def list(self, **filters: Any) -> list[dict[str, Any]]:
        """Workflows in the shape of `list --json`, newest first; filters as in `WorkflowFilter`."""
        with views.reading(self.database_path) as connection:
            return views.list_workflows(connection, views.WorkflowFilter(**filters)).rows

    def state_of(self, workflow_id: str) -> str:
        """The state of a workflow, by its id. Raises `NotFoundError`."""
        with views.reading(self.database_path) as connection:
            return views.state_of(connection, workflow_id)

    def last_seq(self) -> int:
        """The seq of the newest event; 0 where there is none."""
        with views.reading(self.database_path) as connection:
            return views.last_seq(connection)

    def subscribe(
        self,
        *,
        since: int | None = None,
        workflow: str | None = None,
        types: Sequence[str] = (),
        stop: Callable[[], bool] = lambda: False,
    ) -> Iterator[dict[str, Any]]:
        """Events in order, each once, as they are committed; from now on, or after seq `since`.

        `types` are globs. Ends when `stop` says so, which is asked at each look.
        """
        from perles.store.tail import tail

        with views.reading(self.database_path) as connection:
            workflow_id = None if workflow is None else views.resolve(connection, workflow)
            start = views.last_seq(connection) if since is None else since
        return tail(
            self.database_path, since=start, workflow_id=workflow_id, types=tuple(types), stop=stop
        )

    def serve(self, *, exit_when_idle: bool = False) -> None:
        """Host the engine in this process until it is told to stop. Raises `EngineRunsError`."""
        from perles.engine.engine import serve

        self.paths.ensure_home()
        config = self.config()
        self._upgrade_apart()
        serve(self.paths, config, exit_when_idle=exit_when_idle, load_config=self.config)

    def _upgrade_apart(self) -> None:
        """Make or upgrade the database in a process of its own.

        Alembic would cost the engine 14 MiB for as long as it lives. What goes
        wrong there, the engine meets again and tells.
        """
        from perles.store import migrate

        if not self.engine_runs() and not migrate.is_current(self.database_path):
            command = [sys.executable, "-m", "perles", "db", "upgrade"]
            environ = os.environ | {"PERLES_HOME": str(self.paths.root)}
            subprocess.run(command, env=environ, capture_output=True, check=False)

    def engine_runs(self) -> bool:
        """Whether an engine holds this database now."""
        return EngineLock(self.database_path).is_held()

    def engine_status(self) -> dict[str, Any] | None:
        """The engine that runs now, in the shape of `engine status --json`; None when none does."""
        if not self.engine_runs():
            return None
        with views.reading(self.database_path) as connection:
            status = views.engine_status(connection)
        if status is not None:
            status["memory_bytes"] = _resident(status["pid"])
        return status

    def check(self) -> Sequence[str]:
        """What is wrong with database, processes and files, a line each; fixes nothing."""
        from perles.maintenance import check

        return check(self.paths)

    def reconcile(self) -> None:
        """Do what an engine does when it starts, where none runs: adopt, finish, lose, clean up."""
        from perles.engine.engine import run_errand

        run_errand(self.paths, self.config(), frozenset())

    def staff(self, workflow_id: str) -> frozenset[str]:
        """The providers that a workflow's agents may be of."""
        from perles.store.agent_views import staff

        with views.reading(self.database_path) as connection:
            return staff(connection, workflow_id)

    def providers(self) -> Sequence[dict[str, Any]]:
        """The providers that can be named, in the shape of `providers --json`."""
        from perles.agents.survey import survey
        from perles.domain.clock import SystemClock, to_text
        from perles.store.agent_views import provider_holds

        with views.reading(self.database_path) as connection:
            holds = provider_holds(connection)
        now = to_text(SystemClock().now())
        found = survey(self.config().providers, os.environ)
        for provider in found:
            until = holds.get(provider["name"], {}).get("until")
            provider["held_until"] = until if until and until > now else None
        return found

    def templates(self, work_dir: Path) -> Catalog:
        """The templates that somebody in `work_dir` can use."""
        from perles.creation import catalog

        return catalog(self.paths, work_dir)

    def ensure_engine(self, *, exit_when_idle: bool = True) -> bool:
        """See that an engine runs; whether this call started it.

        The one it starts is a process of its own, which outlives its caller and, with
        `exit_when_idle`, ends when nothing runs or waits. Raises `PerlesError` when it
        does not come up.
        """
        if self.engine_runs():
            return False
        self.config()
        _ = self._database
        log = self.paths.engine_log()
        command = [sys.executable, "-m", "perles", "serve", "--foreground"]
        with log.open("ab") as output:
            child = subprocess.Popen(
                [*command, "--exit-when-idle"] if exit_when_idle else command,
                stdin=subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                env=os.environ | {"PERLES_HOME": str(self.paths.root)},
                start_new_session=True,
            )
        deadline = time.monotonic() + _ENGINE_START_SECONDS
        while time.monotonic() < deadline:
            if child.poll() == EngineRunsError.exit_code and not self.engine_runs():
                return self.ensure_engine(exit_when_idle=exit_when_idle)  # that one has ended
            if child.poll() is not None:
                return self._engine_came_up_elsewhere(log)
            status = self.engine_status()
            if status is not None and status["pid"] == child.pid:
                child.returncode = 0  # it outlives us: nothing to wait for
                return True
            time.sleep(_POLL)
        raise PerlesError(f"cannot start the engine: it takes too long; look at {log}")

    def _engine_came_up_elsewhere(self, log: Path) -> bool:
        """Two that start at once: one wins, and serves both."""
        if self.engine_runs():
            return False
        said = log.read_text(errors="replace").strip().splitlines()
        raise PerlesError(f"cannot start the engine: {said[-1] if said else 'it ended at once'}")

    def stop_engine(self, *, timeout: float = 60.0, leave_agents: bool = False) -> int:
        """Stop the engine, pausing what runs; its pid. Raises `NoEngineError`, `PerlesError`.

        With `leave_agents` the agents work on, and the next engine goes on with them.
        """
        lock = EngineLock(self.database_path)
        pid = lock.holder()
        if not lock.is_held() or pid is None:
            raise NoEngineError
        os.kill(pid, signal.SIGUSR1 if leave_agents else signal.SIGTERM)
        if not _has_let_go(lock, pid, timeout):
            raise PerlesError(f"cannot stop the engine: pid {pid} still runs; kill -9 {pid}")
        return pid

    def shutdown(self, timeout: float = 60.0) -> None:
        """See that no engine runs: what runs is paused, and can be resumed later.

        Agents that need longer than `timeout` to end are killed. Raises `PerlesError`
        when even that does not end the engine.
        """
        lock = EngineLock(self.database_path)
        pid = lock.holder()
        if not lock.is_held() or pid is None:
            return
        os.kill(pid, signal.SIGTERM)
        if not _has_let_go(lock, pid, timeout):
            os.kill(pid, signal.SIGTERM)
            if not _has_let_go(lock, pid, _KILL_SECONDS):
                raise PerlesError(f"cannot stop the engine: pid {pid} still runs; kill -9 {pid}")

    def wait_for_idle_engine(self, seconds: float) -> bool:
        """Wait for an engine that ends when idle; whether it ended in that time."""
        deadline = time.monotonic() + seconds
        while self.engine_runs():
            if time.monotonic() > deadline or self._has_work():
                return False
            time.sleep(_POLL)
        return True

    def _has_work(self) -> bool:
        with views.reading(self.database_path) as connection:
            return views.has_work(connection)

    def request(self, ref: str, kind: str, args: dict[str, Any]) -> Request:
        """Queue a command of any kind; `outcome` tells what became of it.

        Raises `NotFoundError`, `AmbiguousIdError`, and `WrongStateError` for one that
        cannot succeed now.
        """
        from perles.requests import append_command

        if not self.database_path.exists():
            self.get(ref)  # says that there is no such workflow
        with views.reading(self.database_path) as connection:
            workflow_id = views.resolve(connection, ref)
        command_id = self._database.write(lambda tx: append_command(tx, workflow_id, kind, args))
        return Request(workflow_id, command_id, kind)

    def outcome(self, request: Request, *, with_engine: bool = False) -> Outcome:
        """Wait for the end of a command. Raises the error that it met, with its exit code.

        With no engine running, one that needs no agent is carried out here and now.
        """
        workflow_id, command_id, kind = request
        errands = 0
        while True:
            with views.reading(self.database_path) as connection:
                command = views.command(connection, command_id)
            if command["status"] == "succeeded":
                return _outcome(workflow_id, kind, command["result"])
            if command["status"] in ("failed", "rejected"):
                raise _failure(command)
            if with_engine:
                self.ensure_engine()
            elif not self.engine_runs():
                if kind not in _WITHOUT_ENGINE or errands == _MAX_ERRANDS:
                    return Outcome(workflow_id, "queued", _waits_for_engine(request))
                errands += 1
                self._carry_out_here()
                continue
            time.sleep(_POLL)

    def _request(
        self,
        ref: str,
        kind: str,
        args: dict[str, Any],
        *,
        wait: bool = True,
        with_engine: bool = False,
    ) -> Outcome:
        request = self.request(ref, kind, args)
        if not wait:
            text = f"queued {kind} of {request.workflow_id}"
            return Outcome(request.workflow_id, "queued", text)
        return self.outcome(request, with_engine=with_engine)

    def _carry_out_here(self) -> None:
        """Be the engine for the moment that commands without agents take."""
        from perles.engine.engine import run_errand

        run_errand(self.paths, self.config(), _WITHOUT_ENGINE)


def _resident(pid: int) -> int | None:
    """Resident memory of a process in bytes; None when it is gone."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")


def _has_let_go(lock: EngineLock, pid: int, seconds: float) -> bool:
    """Wait for the engine with this pid to be gone; whether it went in that time."""
    deadline = time.monotonic() + seconds
    while lock.is_held() and lock.holder() == pid:
        if time.monotonic() > deadline:
            return False
        time.sleep(_POLL)
    return True


def _new_id() -> str:
    return "wf-" + "".join(secrets.choice(_ID_LETTERS) for _ in range(8))


def _waits_for_engine(request: Request) -> str:
    workflow_id, _, kind = request
    return f"queued {kind} of {workflow_id}: no engine runs; start one with perles serve"


def _outcome(workflow_id: str, kind: str, result: dict[str, Any]) -> Outcome:
    if result.get("status") == "waiting":
        return Outcome(workflow_id, "waiting", f"{workflow_id} is {result['reason']}")
    done = {
        "start": "started",
        "pause": "paused",
        "resume": "resumed",
        "stop": "stopped",
        "fail": "failed",
        "archive": "archived",
        "set": "changed",
        "approve": f"approved {result.get('task')} of",
        "deny": f"denied {result.get('task')} of",
        "send": f"sent to {result.get('sent')} of",
    }
    return Outcome(workflow_id, "succeeded", f"{done.get(kind, kind)} {workflow_id}")


def _failure(command: dict[str, Any]) -> PerlesError:
    """The error that the engine met, with its exit code."""
    error = CommandFailedError(command["error"] or "the command failed")
    code = command["result"].get("exit_code", error.exit_code)
    error.exit_code = code  # type: ignore[misc]  # this one instance stands for another class
    return error
