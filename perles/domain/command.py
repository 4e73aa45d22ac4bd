"""What every command has: its rules, and the states of a workflow that allow it."""

from typing import ClassVar, Final

import msgspec

from perles.domain.errors import WrongStateError
from perles.domain.states import WORKFLOW

States = frozenset[str]
ANY_STATE: Final[States] = frozenset(WORKFLOW.states)
OPEN: Final[States] = ANY_STATE - WORKFLOW.terminal


def edge(trigger: str) -> States:
    """The states from which the machine of workflows has this edge."""
    return frozenset(WORKFLOW.states_with(trigger))


class Command(msgspec.Struct, frozen=True, kw_only=True):
    """A command with its arguments. Keys that a row does not have are the defaults here."""

    kind: ClassVar[str]
    """The name in the column `commands.kind`."""
    states: ClassVar[States]
    """The states of the workflow that allow it; none for a command to the engine itself."""
    states_in_line: ClassVar[States] = frozenset()
    """States that allow it, too, while the workflow waits in line for room."""
    step: ClassVar[str]
    """How a refusal calls it: "cannot STEP workflow wf-1"."""
    done: ClassVar[str] = ""
    """What a person is told: `{workflow}` and the keys of the handler's result are filled in."""
    needs_engine: ClassVar[bool] = True
    """False: where no engine runs, the client carries it out at once."""
    for_maker: ClassVar[bool] = False
    """Whether an agent may ask it of a workflow that it created; otherwise only a person may."""
    ends: ClassVar[bool] = False
    """Whether the workflow ends by it: tool calls are refused meanwhile."""

    @classmethod
    def check_state(cls, state: str, workflow_id: str, *, in_line: bool = False) -> None:
        """Raise `WrongStateError` unless a workflow in `state` allows this command."""
        if state not in cls.states and not (in_line and state in cls.states_in_line):
            raise WrongStateError(WORKFLOW.kind, workflow_id, state, cls.step)
