"""Perles: a control plane for AI coding agents.

    from perles import ControlPlane, WorkflowSpec

Each name is loaded when it is first asked for: a read command must not pay for what it does
not use. docs/python.md tells what there is.
"""

from perles.version import __version__

TYPE_CHECKING = False  # importing `typing` would cost every agent process; checkers know the name
_HOMES = {
    "ControlPlane": "perles.api.plane",
    "Subscription": "perles.api.subscription",
    "WorkflowSpec": "perles.domain.specs",
    "WorkflowState": "perles.domain.states",
    "WorkflowPriority": "perles.domain.states",
    "TaskStatus": "perles.domain.states",
    "AgentStatus": "perles.domain.states",
    "Outcome": "perles.controlplane.outcomes",
    "ControlPlaneEvent": "perles.api.event",
    **dict.fromkeys(("ListQuery", "EventFilter", "StopOptions"), "perles.api.requests"),
    **dict.fromkeys(
        ("WorkflowInstance", "WorkflowDetails", "Task", "Agent", "TaskCounts", "Session"),
        "perles.api.instance",
    ),
}
_ERRORS = (
    "PerlesError",
    "UsageError",
    "AmbiguousIdError",
    "NotFoundError",
    "WrongStateError",
    "StaleError",
    "PersonNeededError",
    "NoEngineError",
    "EngineRunsError",
    "MaintenanceRunsError",
    "LimitReachedError",
    "DatabaseError",
    "CommandFailedError",
    "ToolError",
    "NoWorkerSlotError",
)
_HOMES |= dict.fromkeys(_ERRORS, "perles.domain.errors")
_MODULES = ("aio", "events")
__all__ = ["__version__", *_HOMES, *_MODULES]

if TYPE_CHECKING:
    from perles import aio as aio
    from perles import events as events
    from perles.api.event import ControlPlaneEvent as ControlPlaneEvent
    from perles.api.instance import Agent as Agent
    from perles.api.instance import Session as Session
    from perles.api.instance import Task as Task
    from perles.api.instance import TaskCounts as TaskCounts
    from perles.api.instance import WorkflowDetails as WorkflowDetails
    from perles.api.instance import WorkflowInstance as WorkflowInstance
    from perles.api.plane import ControlPlane as ControlPlane
    from perles.api.requests import EventFilter as EventFilter
    from perles.api.requests import ListQuery as ListQuery
    from perles.api.requests import StopOptions as StopOptions
    from perles.api.subscription import Subscription as Subscription
    from perles.controlplane.outcomes import Outcome as Outcome
    from perles.domain.errors import AmbiguousIdError as AmbiguousIdError
    from perles.domain.errors import CommandFailedError as CommandFailedError
    from perles.domain.errors import DatabaseError as DatabaseError
    from perles.domain.errors import EngineRunsError as EngineRunsError
    from perles.domain.errors import LimitReachedError as LimitReachedError
    from perles.domain.errors import MaintenanceRunsError as MaintenanceRunsError
    from perles.domain.errors import NoEngineError as NoEngineError
    from perles.domain.errors import NotFoundError as NotFoundError
    from perles.domain.errors import NoWorkerSlotError as NoWorkerSlotError
    from perles.domain.errors import PerlesError as PerlesError
    from perles.domain.errors import PersonNeededError as PersonNeededError
    from perles.domain.errors import StaleError as StaleError
    from perles.domain.errors import ToolError as ToolError
    from perles.domain.errors import UsageError as UsageError
    from perles.domain.errors import WrongStateError as WrongStateError
    from perles.domain.specs import WorkflowSpec as WorkflowSpec
    from perles.domain.states import AgentStatus as AgentStatus
    from perles.domain.states import TaskStatus as TaskStatus
    from perles.domain.states import WorkflowPriority as WorkflowPriority
    from perles.domain.states import WorkflowState as WorkflowState


def __getattr__(name: str) -> object:
    home = f"perles.{name}" if name in _MODULES else _HOMES.get(name)
    if home is None:
        raise AttributeError(f"module 'perles' has no attribute {name!r}")
    from importlib import import_module

    module = import_module(home)
    return module if name in _MODULES else getattr(module, name)
