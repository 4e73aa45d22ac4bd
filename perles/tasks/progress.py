"""How a workflow's tasks stand, in words: for a coordinator that left it lying, and a reason."""

from collections.abc import Sequence
from typing import Final, Self

from perles.domain.records import dataclass
from perles.domain.states import OPEN_TASK_STATES
from perles.store import statements
from perles.store.reader import Reader
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.tasks.reports import has_report

MAX_KEYS: Final = 20
"""How many tasks are named; of more only their number is told."""


@dataclass(frozen=True)
class Plan:
    """The tasks by what is to be done about them, by key; `stopped` are workers, by name."""

    ready: Sequence[str]
    reported: Sequence[str]
    unreviewed: Sequence[str]
    denied: Sequence[str]
    approved: Sequence[str]
    blocked: Sequence[str]
    left: Sequence[str]
    waiting: Sequence[str]
    failed: Sequence[str]
    total: int
    done: int
    stopped: Sequence[str]

    @classmethod
    def of(cls, reader: Reader, workflow_id: str) -> Self:
        """The plan as it is now. Tasks that are `left` are in nobody's hands any more."""
        tasks = reader.all(Task, statements.TASKS_OF, workflow_id=workflow_id)
        going = [task for task in tasks if task.status in OPEN_TASK_STATES]
        agents = reader.all(Agent, statements.AGENTS_OF, workflow_id=workflow_id)
        workers = [agent for agent in agents if agent.role == "worker"]
        stuck = {agent.task_id for agent in workers if agent.blocked is not None}
        begun = [task for task in going if task.status in ("in_progress", "committing")]
        reported = [task.key for task in begun if has_report(task)]
        blocked = [task.key for task in going if task.id in stuck]
        return cls(
            ready=[task.key for task in going if task.status == "ready"],
            reported=reported,
            unreviewed=[
                task.key for task in going if task.status == "in_review" and task.id not in stuck
            ],
            denied=[task.key for task in going if task.status == "denied"],
            approved=[task.key for task in going if task.status == "approved"],
            blocked=blocked,
            left=[task.key for task in begun if task.key not in (*reported, *blocked)],
            waiting=[task.key for task in going if task.status == "pending"],
            failed=[task.key for task in tasks if task.status == "failed" and not task.tolerated],
            total=len(tasks),
            done=sum(task.status == "done" or bool(task.tolerated) for task in tasks),
            stopped=[worker.name for worker in workers if worker.status == "stopped"],
        )

    @property
    def is_done(self) -> bool:
        """Whether no task is left to do and none failed, and there are some."""
        return self.total > 0 and not self._has_open and not self.failed

    @property
    def _has_open(self) -> bool:
        return any(keys for keys, _, _ in self._open)

    @property
    def _open(self) -> Sequence[tuple[Sequence[str], str, str]]:
        """The open tasks: which, what they are, and which calls bring them on."""
        return (
            (
                self.reported,
                "reported on",
                "assign_task_review or mark_task_complete; if it failed mark_task_failed",
            ),
            (self.approved, "approved in their review", "approve_commit"),
            (self.denied, "denied in their review", "assign_review_feedback"),
            (self.unreviewed, "in a review that nobody does any more", "assign_task_review"),
            (
                self.blocked,
                "in the hands of a worker that cannot go on",
                "send_to_worker with an answer, or give it to another; list_tasks tells why",
            ),
            (self.ready, "ready", "assign_task to a free worker, spawn_worker where there is none"),
            (self.left, "in nobody's hands", "assign_task to another worker"),
            (self.waiting, "waiting", ""),
        )

    def count(self) -> str:
        """`3 tasks`."""
        return "1 task" if self.total == 1 else f"{self.total} tasks"

    def lines(self) -> list[str]:
        """What is open, and which calls bring it on."""
        if not self.total:
            return [
                "There is no task yet. Plan the goal with create_task, get workers with "
                "spawn_worker, give them their tasks with assign_task. If the goal needs no task, "
                "call signal_workflow_complete: its summary is what the person reads."
            ]
        if not self._has_open:
            status = "partial" if self.failed else "success"
            failed = f"; {_keys(self.failed)} failed" if self.failed else ""
            again = "; or try again with reopen_task" if self.failed else ""
            return [
                f"No task is open: {self.done} of {self.count()} done{failed}. Call "
                f"signal_workflow_complete with status {status} now{again}."
            ]
        said = [f"{self.done} of {self.count()} done. Open are:"]
        for keys, what, call in self._open:
            if keys:
                said.append(f"- {_keys(keys)} ({what}{': ' if call else ''}{call})")
        return said

    def in_short(self) -> str:
        """What is open, for a reason."""
        if not self.total:
            return "it made no task"
        parts = [
            f"{_keys(keys)} {what}"
            for keys, what, _ in (*self._open, (self.failed, "failed", ""))
            if keys
        ]
        return f"{self.done} of {self.count()} done, {', '.join(parts)}"


def _keys(keys: Sequence[str]) -> str:
    more = f" and {len(keys) - MAX_KEYS} more" if len(keys) > MAX_KEYS else ""
    return ", ".join(keys[:MAX_KEYS]) + more
