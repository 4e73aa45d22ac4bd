"""States and edges of tasks, and of a worker's place in the cycle of its task.

Phase (a worker's place in the task cycle)::

    idle --implement--> implementing --report--> awaiting_review
    awaiting_review --approve--> committing --finish--> idle
    awaiting_review --deny--> addressing_feedback --report--> awaiting_review
    idle --review--> reviewing --verdict--> idle
    every phase but idle --cancel--> idle

Task::

    pending --unblock--> ready --assign--> in_progress --complete--> done
    ready --block--> pending
    in_progress --review--> in_review --approve--> approved --commit--> committing
    approved | committing --complete--> done
    in_review --deny--> denied --rework--> in_progress
    in_progress | in_review | denied | approved | committing --retry--> ready
    ready --ask--> waiting_for_user --approve--> done, --deny--> denied
    denied --ask--> waiting_for_user --overrule--> approved
    every open state --fail--> failed, --skip--> skipped
    failed | skipped --reopen--> pending
"""

from enum import StrEnum
from typing import Final, Literal

from perles.domain.state_rules import Edge, Rules, states_of


class Phase(StrEnum):
    """A worker's place in the cycle of its task."""

    IDLE = "idle"
    IMPLEMENTING = "implementing"
    AWAITING_REVIEW = "awaiting_review"
    ADDRESSING_FEEDBACK = "addressing_feedback"
    REVIEWING = "reviewing"
    COMMITTING = "committing"


class TaskStatus(StrEnum):
    """Where a task stands; done is terminal, failed and skipped are until somebody reopens it."""

    PENDING = "pending"
    READY = "ready"
    IN_PROGRESS = "in_progress"
    IN_REVIEW = "in_review"
    APPROVED = "approved"
    DENIED = "denied"
    COMMITTING = "committing"
    WAITING_FOR_USER = "waiting_for_user"
    DONE = "done"
    FAILED = "failed"
    SKIPPED = "skipped"


PhaseTrigger = Literal[
    "implement", "report", "approve", "deny", "finish", "review", "verdict", "cancel"
]
TaskTrigger = Literal[
    "unblock",
    "gather",
    "block",
    "assign",
    "retry",
    "review",
    "approve",
    "deny",
    "rework",
    "commit",
    "complete",
    "ask",
    "overrule",
    "fail",
    "skip",
    "reopen",
]

_P, _K = Phase, TaskStatus

_PHASE_CHANGED = "agent.phase_changed"
PHASE: Final[Rules[PhaseTrigger]] = Rules(
    "phase",
    states_of(_P),
    (
        Edge("implement", (_P.IDLE,), _P.IMPLEMENTING, _PHASE_CHANGED),
        Edge(
            "report", (_P.IMPLEMENTING, _P.ADDRESSING_FEEDBACK), _P.AWAITING_REVIEW, _PHASE_CHANGED
        ),
        Edge("approve", (_P.AWAITING_REVIEW,), _P.COMMITTING, _PHASE_CHANGED),
        Edge("deny", (_P.AWAITING_REVIEW,), _P.ADDRESSING_FEEDBACK, _PHASE_CHANGED),
        Edge("finish", (_P.COMMITTING,), _P.IDLE, _PHASE_CHANGED),
        Edge("review", (_P.IDLE,), _P.REVIEWING, _PHASE_CHANGED),
        Edge("verdict", (_P.REVIEWING,), _P.IDLE, _PHASE_CHANGED),
        Edge(
            "cancel",
            (
                _P.IMPLEMENTING,
                _P.AWAITING_REVIEW,
                _P.ADDRESSING_FEEDBACK,
                _P.REVIEWING,
                _P.COMMITTING,
            ),
            _P.IDLE,
            _PHASE_CHANGED,
        ),
    ),
    frozenset(),
)

OPEN_TASK_STATES: Final = (
    _K.PENDING,
    _K.READY,
    _K.IN_PROGRESS,
    _K.IN_REVIEW,
    _K.APPROVED,
    _K.DENIED,
    _K.COMMITTING,
    _K.WAITING_FOR_USER,
)
BEGUN_TASK_STATES: Final = (_K.IN_PROGRESS, _K.IN_REVIEW, _K.DENIED, _K.APPROVED, _K.COMMITTING)
"""States of a task that a worker has in hand."""
HOLDING_TASK_STATES: Final = (*BEGUN_TASK_STATES, _K.WAITING_FOR_USER)
"""States of a task that may hold a mutex or a limit; one that is ready may wait for it."""
TASK: Final[Rules[TaskTrigger]] = Rules(
    "task",
    states_of(_K),
    (
        Edge("unblock", (_K.PENDING,), _K.READY, "task.ready"),
        Edge("gather", (_K.PENDING,), _K.DONE, "task.completed"),
        Edge("block", (_K.READY,), _K.PENDING, "task.blocked"),
        Edge("assign", (_K.READY,), _K.IN_PROGRESS, "task.assigned"),
        Edge("retry", BEGUN_TASK_STATES, _K.READY, "task.retried"),
        Edge("review", (_K.IN_PROGRESS,), _K.IN_REVIEW, "task.in_review"),
        Edge("approve", (_K.IN_REVIEW,), _K.APPROVED, "task.approved"),
        Edge("deny", (_K.IN_REVIEW, _K.WAITING_FOR_USER), _K.DENIED, "task.denied"),
        Edge("rework", (_K.DENIED,), _K.IN_PROGRESS, "task.assigned"),
        Edge("commit", (_K.APPROVED,), _K.COMMITTING, "task.committing"),
        Edge("complete", (_K.IN_PROGRESS, _K.APPROVED, _K.COMMITTING), _K.DONE, "task.completed"),
        Edge("ask", (_K.READY, _K.DENIED), _K.WAITING_FOR_USER, "task.waiting_for_user"),
        Edge("approve", (_K.WAITING_FOR_USER,), _K.DONE, "task.approved"),
        Edge("overrule", (_K.WAITING_FOR_USER,), _K.APPROVED, "task.approved"),
        Edge("fail", OPEN_TASK_STATES, _K.FAILED, "task.failed"),
        Edge("skip", OPEN_TASK_STATES, _K.SKIPPED, "task.skipped"),
        Edge("reopen", (_K.FAILED, _K.SKIPPED), _K.PENDING, "task.reopened"),
    ),
    frozenset({_K.DONE}),
)
