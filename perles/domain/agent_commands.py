"""Commands to one agent of a workflow: a part of the table in `perles.domain.commands`."""

from collections.abc import Mapping
from typing import Final

from perles.domain.command import Command
from perles.domain.states import WorkflowState


class OnAgent(Command, frozen=True):
    """Something is done with one agent. `force` leaves its turn no time to end."""

    states = frozenset({WorkflowState.RUNNING})
    for_maker = True
    agent: str = ""
    reason: str = ""
    provider: str | None = None
    force: bool = False


class SpawnAgent(OnAgent, frozen=True):
    """A worker more, of `provider` where one is named."""

    kind = "agent.spawn"
    step = "spawn agents of"
    done = "spawned {agent} of {workflow}"


class StopAgent(OnAgent, frozen=True):
    """It takes no turn until it is resumed."""

    kind = "agent.stop"
    step = "stop agents of"
    done = "stopped {agent} of {workflow}"


class ResumeAgent(OnAgent, frozen=True):
    """It takes turns again."""

    kind = "agent.resume"
    step = "resume agents of"
    done = "resumed {agent} of {workflow}"


class RetireAgent(OnAgent, frozen=True):
    """A worker goes for good."""

    kind = "agent.retire"
    step = "retire agents of"
    done = "retired {agent} of {workflow}"


class ReplaceAgent(OnAgent, frozen=True):
    """A fresh one goes on in its place, with the name `successor` where one was promised."""

    kind = "agent.replace"
    step = "replace agents of"
    done = "replaced {agent} of {workflow} by {by}"
    successor: str = ""


ON_AGENTS: Final[Mapping[str, type[OnAgent]]] = {
    "spawn": SpawnAgent,
    "stop": StopAgent,
    "resume": ResumeAgent,
    "retire": RetireAgent,
    "replace": ReplaceAgent,
}
"""By the verb of `perles agent`."""
