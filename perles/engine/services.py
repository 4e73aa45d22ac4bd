"""What acts on running workflows, handed to the parts of the engine that need it."""

from __future__ import annotations

from dataclasses import field

from perles.domain.records import dataclass
from perles.engine.context import Context
from perles.engine.supervision.supervisor import Supervisor
from perles.engine.turns.runner import Turns


@dataclass(slots=True)
class Services(Context):
    """The context, with the turns that live and the supervisor of workflows."""

    turns: Turns = field(init=False)
    supervisor: Supervisor = field(init=False)
