"""What the tools need of their host. The engine implements it; tests can too."""

from collections.abc import Collection, Sequence
from typing import Any, Protocol

from perles.domain.records import dataclass
from perles.store.reader import Reader


@dataclass(frozen=True, slots=True)
class Caller:
    """Who calls a tool: known from its token, never from its arguments.

    `turn_id` is the turn that its token is good for, None where it is good for all of the agent's.
    """

    workflow_id: str
    agent_id: int
    name: str
    role: str
    turn_id: int | None = None


class ToolHost(Protocol):
    """The engine, as tools see it."""

    def identify(self, token: str) -> Caller | None:
        """The agent that holds this token, if one does now. `token` is the secret itself.

        Raises `LateCallError` where it is good for a turn that is over.
        """
        ...

    def reader(self) -> Reader:
        """A connection to read on; in the event loop's thread."""
        ...

    async def command(
        self, caller: Caller, kind: str, args: dict[str, Any], key: str | None
    ) -> dict[str, Any]:
        """Carry out a command for this agent through the FIFO; its result.

        A request with a `key` that this agent used before gets the answer of then.
        Raises `PerlesError` when it is rejected or fails; the text is for the agent.
        That is a `LateCallError` where the turn of the caller is over.
        """
        ...

    def seen(self, caller: Caller, post_ids: Sequence[int]) -> None:
        """This agent was shown these posts: it need not be told of them."""
        ...

    def hides(self, caller: Caller) -> Collection[str]:
        """The tools that this agent's CLI does not show under their own names."""
        ...

    def rejected(self, workflow_id: str, status: int, count: int, why: str) -> None:
        """Record refused requests as `security.rejected` (bounded: a flood is counted)."""
        ...
