"""Workflows as Python programs see them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, ClassVar, NamedTuple

from perles.api.value import Value, moment
from perles.domain.states import AgentStatus, TaskStatus, WorkflowPriority, WorkflowState


class TaskCounts(NamedTuple):
    """The numbers of tasks: all, done and failed."""

    total: int
    done: int
    failed: int


class Session(NamedTuple):
    """The work dir, and the folder with the input and output of the agents."""

    work_dir: Path
    branch: str | None
    folder: Path | None
    """None until the workflow has started."""


class WorkflowInstance(Value):
    """A workflow as `perles list --json` has it."""

    __slots__ = ()
    _shown: ClassVar = ("id", "name", "state")

    @property
    def id(self) -> str:
        """`wf-` and eight letters or digits."""
        return str(self._row["id"])

    @property
    def template_id(self) -> str:
        """The key of its template; `pipeline` for a file."""
        return str(self._row["template_id"])

    @property
    def name(self) -> str:
        """The display name."""
        return str(self._row["name"])

    @property
    def state(self) -> WorkflowState:
        """The state; equal to its text, such as `"running"`."""
        return WorkflowState(self._row["state"])

    @property
    def is_terminal(self) -> bool:
        """Whether it has ended: completed, failed or stopped."""
        return self._row["state"] in ("completed", "failed", "stopped")

    @property
    def priority(self) -> WorkflowPriority:
        """The priority; equal to its text, such as `"high"`."""
        return WorkflowPriority(self._row["priority"])

    @property
    def labels(self) -> Mapping[str, str]:
        """Key → value."""
        return dict(self._row["labels"])

    @property
    def created_at(self) -> datetime:
        """When it was created, as an aware datetime."""
        return datetime.fromisoformat(self._row["created_at"])

    @property
    def started_at(self) -> datetime | None:
        """When it was first started."""
        return moment(self._row["started_at"])

    @property
    def updated_at(self) -> datetime:
        """The time of the last change of its row."""
        return datetime.fromisoformat(self._row["updated_at"])

    @property
    def ended_at(self) -> datetime | None:
        """When it completed, failed or was stopped."""
        return moment(self._row["ended_at"])

    @property
    def last_heartbeat_at(self) -> datetime | None:
        """The time of the last sign of life of its agents."""
        return moment(self._row["last_heartbeat_at"])

    @property
    def last_progress_at(self) -> datetime | None:
        """The time of the last progress."""
        return moment(self._row["last_progress_at"])

    @property
    def mcp_port(self) -> int | None:
        """The port of its tools while they are served, otherwise None."""
        port: int | None = self._row["mcp_port"]
        return port

    @property
    def token_budget(self) -> int:
        """The token budget; 0 means no limit."""
        return int(self._row["token_budget"])

    @property
    def tokens_used(self) -> int:
        """Tokens that its agents used."""
        return int(self._row["tokens_used"])

    @property
    def cost_budget(self) -> float:
        """The cost budget in USD; 0 means no limit."""
        return float(self._row["cost_budget"])

    @property
    def cost_usd(self) -> float:
        """The cost of its agents in USD."""
        return float(self._row["cost_usd"])

    @property
    def session(self) -> Session:
        """The work dir, and the folder with the input and output of the agents."""
        folder = self._row["session_dir"]
        return Session(
            Path(self._row["work_dir"]),
            self._row["branch"],
            None if folder is None else Path(folder),
        )

    @property
    def health(self) -> str:
        """`unknown`, `healthy`, `degraded` or `stuck`."""
        return str(self._row["health"])

    @property
    def attention(self) -> str | None:
        """Why it needs attention, or None."""
        told: str | None = self._row["attention"]
        return told

    @property
    def reason(self) -> str | None:
        """Why it waits, was paused, failed or was stopped."""
        told: str | None = self._row["reason"]
        return told

    @property
    def uptime_s(self) -> float | None:
        """Seconds since its start, until its end, without pauses."""
        told: float | None = self._row["uptime_s"]
        return told

    @property
    def task_counts(self) -> TaskCounts:
        """How many tasks there are, done and failed."""
        counts: Mapping[str, int] = self._row.get("task_counts", self._row["tasks"])
        return TaskCounts(counts["total"], counts["done"], counts["failed"])

    def __hash__(self) -> int:
        return hash(self.id)


class Task(Value):
    """A task, as `perles tasks --json` has it or, within a workflow, `perles show --json`."""

    __slots__ = ()
    _shown: ClassVar = ("key", "status")

    @property
    def key(self) -> str:
        """Its name within the workflow."""
        return str(self._row["key"])

    @property
    def name(self) -> str:
        """The display name."""
        return str(self._row["name"])

    @property
    def status(self) -> TaskStatus:
        """The status; equal to its text, such as `"done"`."""
        return TaskStatus(self._row["status"])

    @property
    def assignee(self) -> str | None:
        """`worker-N`, `human`, or None."""
        told: str | None = self._row["assignee"]
        return told

    @property
    def failure(self) -> str | None:
        """Why it failed or was skipped."""
        told: str | None = self._row["failure"]
        return told

    def __hash__(self) -> int:
        return hash(self.key)


class Agent(Value):
    """An agent of a workflow."""

    __slots__ = ()
    _shown: ClassVar = ("name", "status")

    @property
    def name(self) -> str:
        """`coordinator` or `worker-N`."""
        return str(self._row["name"])

    @property
    def status(self) -> AgentStatus:
        """The status; equal to its text, such as `"working"`."""
        return AgentStatus(self._row["status"])

    @property
    def provider(self) -> str:
        """The provider of its CLI."""
        return str(self._row["provider"])

    @property
    def task(self) -> str | None:
        """The key of the task in hand."""
        told: str | None = self._row["task"]
        return told

    def __hash__(self) -> int:
        return hash(self.name)


class WorkflowDetails(WorkflowInstance):
    """A workflow with its tasks and agents, as `perles show --json` has it."""

    __slots__ = ()

    @property
    def tasks(self) -> Sequence[Task]:
        """Its tasks, in the order of the plan."""
        return tuple(Task(row) for row in self._row["tasks"])

    @property
    def agents(self) -> Sequence[Agent]:
        """Its agents, in the order of their creation."""
        return tuple(Agent(row) for row in self._row["agents"])

    def task(self, key: str) -> Task:
        """The task of this key. Raises `KeyError`."""
        for row in self._row["tasks"]:
            if row["key"] == key:
                return Task(row)
        raise KeyError(key)


def rows_of(tasks: Sequence[Mapping[str, Any]]) -> list[Task]:
    """Tasks of the façade, typed."""
    return [Task(row) for row in tasks]
