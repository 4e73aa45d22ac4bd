"""States and edges of everything in Perles that has a state.

This module is plain data, cheap to import; `perles.domain.machine` builds the
`transitions` machines from it, and nothing else may move a row from state to state. Those of
tasks are in `perles.domain.task_states`.

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

Command::

    queued --run--> running --succeed--> succeeded
    running --fail--> failed          queued | running --reject--> rejected

Question (of an agent to the person)::

    open --answer--> answered         open --close--> closed

Node (a machine of a cluster)::

    ready --drain--> draining --resume--> ready
    ready | draining --lose--> unreachable
    unreachable --hear--> ready           unreachable --hear_draining--> draining
    ready | draining | unreachable --leave--> gone
    gone --join--> ready                  gone --join_draining--> draining

Cluster (the engine's connection to one)::

    connecting | unreachable --reach--> connected
    connecting | connected --fail--> unreachable
    connected | unreachable --begin--> connecting
"""

from enum import StrEnum
from typing import Any, Final, Literal

from perles.domain.state_rules import Edge, Rules, T, states_of
from perles.domain.task_states import (
    BEGUN_TASK_STATES,
    HOLDING_TASK_STATES,
    OPEN_TASK_STATES,
    PHASE,
    TASK,
    Phase,
    PhaseTrigger,
    TaskStatus,
    TaskTrigger,
)

__all__ = [
    "AGENT",
    "ALL_RULES",
    "BEGUN_TASK_STATES",
    "CLUSTER",
    "COMMAND",
    "GONE_AGENTS",
    "HOLDING_TASK_STATES",
    "LIVE_AGENTS",
    "LIVE_TURNS",
    "NODE",
    "OPEN_TASK_STATES",
    "PHASE",
    "PRIORITIES",
    "QUESTION",
    "RETRIABLE",
    "TASK",
    "TURN",
    "WORKFLOW",
    "AgentStatus",
    "AgentTrigger",
    "ClusterState",
    "ClusterTrigger",
    "CommandStatus",
    "CommandTrigger",
    "Edge",
    "NodeState",
    "NodeTrigger",
    "Phase",
    "PhaseTrigger",
    "QuestionStatus",
    "QuestionTrigger",
    "Rules",
    "T",
    "TaskStatus",
    "TaskTrigger",
    "TurnStatus",
    "TurnTrigger",
    "WorkflowState",
    "WorkflowTrigger",
]


class WorkflowState(StrEnum):
    """Where a workflow stands; the last three are terminal."""

    PENDING = "pending"
    RUNNING = "running"
    PAUSED = "paused"
    COMPLETED = "completed"
    FAILED = "failed"
    STOPPED = "stopped"


class WorkflowPriority(StrEnum):
    """The order of the workflows that wait."""

    LOW = "low"
    NORMAL = "normal"
    HIGH = "high"


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


class NodeState(StrEnum):
    """Where a node stands: out of reach from the first call that fails, gone once it has been
    silent for so long that it has ended its agents itself."""

    READY = "ready"
    DRAINING = "draining"
    UNREACHABLE = "unreachable"
    GONE = "gone"


class ClusterState(StrEnum):
    """How the engine stands with its cluster; `connecting` until the first try has come to an
    end."""

    CONNECTING = "connecting"
    CONNECTED = "connected"
    UNREACHABLE = "unreachable"


WorkflowTrigger = Literal["start", "pause", "resume", "complete", "fail", "stop"]
AgentTrigger = Literal[
    "spawn", "deliver", "turn_ended", "turn_failed", "retry", "pause", "resume", "stop", "retire"
]
TurnTrigger = Literal["start", "run", "succeed", "fail", "time_out", "interrupt", "lose"]
CommandTrigger = Literal["run", "succeed", "fail", "reject"]
QuestionTrigger = Literal["answer", "close"]
NodeTrigger = Literal[
    "drain", "resume", "lose", "hear", "hear_draining", "leave", "join", "join_draining"
]
ClusterTrigger = Literal["begin", "reach", "fail"]
_W, _A, _T, _C = WorkflowState, AgentStatus, TurnStatus, CommandStatus
_N = NodeState
_K = ClusterState

WORKFLOW: Final[Rules[WorkflowTrigger]] = Rules(
    "workflow",
    states_of(_W),
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
    states_of(_A),
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
    states_of(_T),
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

COMMAND: Final[Rules[CommandTrigger]] = Rules(
    "command",
    states_of(_C),
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
    states_of(QuestionStatus),
    (
        Edge("answer", (QuestionStatus.OPEN,), QuestionStatus.ANSWERED, "question.answered"),
        Edge("close", (QuestionStatus.OPEN,), QuestionStatus.CLOSED, "question.closed"),
    ),
    frozenset({QuestionStatus.ANSWERED, QuestionStatus.CLOSED}),
)

NODE: Final[Rules[NodeTrigger]] = Rules(
    "node",
    states_of(_N),
    (
        Edge("drain", (_N.READY,), _N.DRAINING, "node.draining"),
        Edge("resume", (_N.DRAINING,), _N.READY, "node.resumed"),
        Edge("lose", (_N.READY, _N.DRAINING), _N.UNREACHABLE, "node.lost"),
        Edge("hear", (_N.UNREACHABLE,), _N.READY, "node.back"),
        Edge("hear_draining", (_N.UNREACHABLE,), _N.DRAINING, "node.back"),
        Edge("leave", (_N.READY, _N.DRAINING, _N.UNREACHABLE), _N.GONE, "node.gone"),
        Edge("join", (_N.GONE,), _N.READY, "node.joined"),
        Edge("join_draining", (_N.GONE,), _N.DRAINING, "node.joined"),
    ),
    frozenset(),
)

CLUSTER: Final[Rules[ClusterTrigger]] = Rules(
    "cluster",
    states_of(_K),
    (
        Edge("begin", (_K.CONNECTED, _K.UNREACHABLE), _K.CONNECTING, "cluster.connecting"),
        Edge("reach", (_K.CONNECTING, _K.UNREACHABLE), _K.CONNECTED, "cluster.connected"),
        Edge("fail", (_K.CONNECTING, _K.CONNECTED), _K.UNREACHABLE, "cluster.lost"),
    ),
    frozenset(),
)

ALL_RULES: Final[tuple[Rules[Any], ...]] = (
    *(WORKFLOW, AGENT, TURN, PHASE, TASK, COMMAND, QUESTION),
    *(NODE, CLUSTER),
)
RETRIABLE: Final = (_W.FAILED, _W.STOPPED)
"""The ends from which a new workflow can go on."""
LIVE_TURNS: Final = (_T.STARTING, _T.RUNNING)
LIVE_AGENTS: Final = (_A.PENDING, _A.READY, _A.WORKING, _A.PAUSED)
GONE_AGENTS: Final = (_A.FAILED, _A.STOPPED, _A.RETIRED)
"""States of a worker that will not go on with its task."""

PRIORITIES: Final = tuple(priority.value for priority in WorkflowPriority)
"""Words for the column `workflows.priority`: its number is the index here."""
