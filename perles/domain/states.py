"""States and edges of everything in Perles that has a state.

This module is plain data, cheap to import; `perles.domain.machine` builds the
`transitions` machines from it, and nothing else may move a row from state to state.

Workflow::

    pending --start--> running --pause--> paused --resume--> running
    running --complete--> completed
    pending | running | paused --fail--> failed
    pending | running | paused --stop--> stopped

Agent::

    pending --spawn--> ready --deliver--> working --turn_ended--> ready
    ready | working --pause--> paused --resume--> ready
    ready | working | paused | failed --stop--> stopped --resume--> ready
    working --turn_failed--> failed --retry--> ready
    every state but retired --retire--> retired

Turn::

    queued --start--> starting --run--> running --succeed--> succeeded
    starting | running --fail--> failed           running --time_out--> timed_out
    queued | starting | running --interrupt--> interrupted
    starting | running --lose--> lost

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

Command::

    queued --run--> running --succeed--> succeeded
    running --fail--> failed          queued | running --reject--> rejected

Question (of an agent to the person)::

    open --answer--> answered         open --close--> closed
"""

from enum import StrEnum
from typing import Any, Final, Generic, Literal, NamedTuple, TypeVar


class WorkflowState(StrEnum):
    """Where a workflow stands; the last three are terminal."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"


class AgentStatus(StrEnum):
    """Where an agent stands; only `retired` is terminal."""

    PENDING = "pending"
    READY = "ready"
    WORKING = "working"
    PAUSED = "paused"
    STOPPED = "stopped"
    FAILED = "failed"
    RETIRED = "retired"


class TurnStatus(StrEnum):
    """Where one run of an agent's process stands."""

    QUEUED = "queued"
    STARTING = "starting"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    INTERRUPTED = "interrupted"
    TIMED_OUT = "timed_out"
    LOST = "lost"


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


class CommandStatus(StrEnum):
    """Where a durable request stands."""

    QUEUED = "queued"
    RUNNING = "running"
    SUCCEEDED = "succeeded"
    FAILED = "failed"
    REJECTED = "rejected"


class QuestionStatus(StrEnum):
    """Where a question to the person stands; it is closed with its workflow."""

    OPEN = "open"
    ANSWERED = "answered"
    CLOSED = "closed"


WorkflowTrigger = Literal["start", "pause", "resume", "complete", "fail", "stop"]
AgentTrigger = Literal[
    "spawn", "deliver", "turn_ended", "turn_failed", "retry", "pause", "resume", "stop", "retire"
]
TurnTrigger = Literal["start", "run", "succeed", "fail", "time_out", "interrupt", "lose"]
PhaseTrigger = Literal[
    "implement", "report", "approve", "deny", "finish", "review", "verdict", "cancel"
]
TaskTrigger = Literal[
    "unblock",
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
CommandTrigger = Literal["run", "succeed", "fail", "reject"]
QuestionTrigger = Literal["answer", "close"]
T = TypeVar("T", bound=str)
"""The triggers of one machine."""


class Edge(NamedTuple, Generic[T]):
    """One allowed step: `trigger` takes a row from any of `sources` to `dest`.

    `event` is the type of the event that commits with the step; `{role}` in it
    stands for the role of the agent concerned.
    """

    trigger: T
    sources: tuple[str, ...]
    dest: str
    event: str


class Rules(NamedTuple, Generic[T]):
    """The states and edges of one kind of row, and how people call that kind."""

    kind: str
    states: tuple[str, ...]
    edges: tuple[Edge[T], ...]
    terminal: frozenset[str]

    def states_with(self, trigger: str) -> tuple[str, ...]:
        """The states from which an edge with this trigger leads, in their order."""
        return tuple(
            state
            for state in self.states
            if any(edge.trigger == trigger and state in edge.sources for edge in self.edges)
        )


def _states(enum: type[StrEnum]) -> tuple[str, ...]:
    return tuple(member.value for member in enum)


_W, _A, _T, _P, _K, _C = WorkflowState, AgentStatus, TurnStatus, Phase, TaskStatus, CommandStatus

WORKFLOW: Final[Rules[WorkflowTrigger]] = Rules(
    "workflow",
    _states(_W),
    (
        Edge("start", (_W.PENDING,), _W.RUNNING, "workflow.started"),
        Edge("pause", (_W.RUNNING,), _W.PAUSED, "workflow.paused"),
        Edge("resume", (_W.PAUSED,), _W.RUNNING, "workflow.resumed"),
        Edge("complete", (_W.RUNNING,), _W.COMPLETED, "workflow.completed"),
        Edge("fail", (_W.PENDING, _W.RUNNING, _W.PAUSED), _W.FAILED, "workflow.failed"),
        Edge("stop", (_W.PENDING, _W.RUNNING, _W.PAUSED), _W.STOPPED, "workflow.stopped"),
    ),
    frozenset({_W.COMPLETED, _W.FAILED, _W.STOPPED}),
)

_STATUS_CHANGED = "agent.status_changed"
AGENT: Final[Rules[AgentTrigger]] = Rules(
    "agent",
    _states(_A),
    (
        Edge("spawn", (_A.PENDING,), _A.READY, "{role}.spawned"),
        Edge("deliver", (_A.READY,), _A.WORKING, _STATUS_CHANGED),
        Edge("turn_ended", (_A.WORKING,), _A.READY, _STATUS_CHANGED),
        Edge("turn_failed", (_A.WORKING,), _A.FAILED, _STATUS_CHANGED),
        Edge("retry", (_A.FAILED,), _A.READY, _STATUS_CHANGED),
        Edge("pause", (_A.READY, _A.WORKING), _A.PAUSED, _STATUS_CHANGED),
        Edge("resume", (_A.PAUSED, _A.STOPPED), _A.READY, _STATUS_CHANGED),
        Edge("stop", (_A.READY, _A.WORKING, _A.PAUSED, _A.FAILED), _A.STOPPED, _STATUS_CHANGED),
        Edge(
            "retire",
            (_A.PENDING, _A.READY, _A.WORKING, _A.PAUSED, _A.STOPPED, _A.FAILED),
            _A.RETIRED,
            "{role}.retired",
        ),
    ),
    frozenset({_A.RETIRED}),
)

TURN: Final[Rules[TurnTrigger]] = Rules(
    "turn",
    _states(_T),
    (
        Edge("start", (_T.QUEUED,), _T.STARTING, "turn.starting"),
        Edge("run", (_T.STARTING,), _T.RUNNING, "turn.started"),
        Edge("succeed", (_T.RUNNING,), _T.SUCCEEDED, "turn.succeeded"),
        Edge("fail", (_T.STARTING, _T.RUNNING), _T.FAILED, "turn.failed"),
        Edge("time_out", (_T.RUNNING,), _T.TIMED_OUT, "turn.timed_out"),
        Edge("interrupt", (_T.QUEUED, _T.STARTING, _T.RUNNING), _T.INTERRUPTED, "turn.interrupted"),
        Edge("lose", (_T.STARTING, _T.RUNNING), _T.LOST, "turn.lost"),
    ),
    frozenset({_T.SUCCEEDED, _T.FAILED, _T.INTERRUPTED, _T.TIMED_OUT, _T.LOST}),
)

_PHASE_CHANGED = "agent.phase_changed"
PHASE: Final[Rules[PhaseTrigger]] = Rules(
    "phase",
    _states(_P),
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
TASK: Final[Rules[TaskTrigger]] = Rules(
    "task",
    _states(_K),
    (
        Edge("unblock", (_K.PENDING,), _K.READY, "task.ready"),
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

COMMAND: Final[Rules[CommandTrigger]] = Rules(
    "command",
    _states(_C),
    (
        Edge("run", (_C.QUEUED,), _C.RUNNING, "command.started"),
        Edge("succeed", (_C.RUNNING,), _C.SUCCEEDED, "command.succeeded"),
        Edge("fail", (_C.RUNNING,), _C.FAILED, "command.failed"),
        Edge("reject", (_C.QUEUED, _C.RUNNING), _C.REJECTED, "command.rejected"),
    ),
    frozenset({_C.SUCCEEDED, _C.FAILED, _C.REJECTED}),
)

QUESTION: Final[Rules[QuestionTrigger]] = Rules(
    "question",
    _states(QuestionStatus),
    (
        Edge("answer", (QuestionStatus.OPEN,), QuestionStatus.ANSWERED, "question.answered"),
        Edge("close", (QuestionStatus.OPEN,), QuestionStatus.CLOSED, "question.closed"),
    ),
    frozenset({QuestionStatus.ANSWERED, QuestionStatus.CLOSED}),
)

ALL_RULES: Final[tuple[Rules[Any], ...]] = (WORKFLOW, AGENT, TURN, PHASE, TASK, COMMAND, QUESTION)
RETRIABLE: Final = (_W.FAILED, _W.STOPPED)
"""The ends from which a new workflow can go on."""
LIVE_TURNS: Final = (_T.STARTING, _T.RUNNING)
LIVE_AGENTS: Final = (_A.PENDING, _A.READY, _A.WORKING, _A.PAUSED)

PRIORITIES: Final = ("low", "normal", "high")
"""Words for the column `workflows.priority`: its number is the index here."""
