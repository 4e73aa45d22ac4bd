"""How a turn ends."""

from __future__ import annotations

from perles.agents.provider import Outcome
from perles.domain.records import dataclass
from perles.domain.states import AgentTrigger, TurnTrigger


@dataclass(frozen=True, slots=True)
class Ending:
    """How a turn ends: the trigger of the turn, and that of its agent."""

    turn: TurnTrigger
    agent: AgentTrigger

    @classmethod
    def of(cls, outcome: Outcome) -> Ending:
        """The ending of a turn that ended by itself."""
        return cls("succeed", "turn_ended") if outcome.succeeded else cls("fail", "turn_failed")
