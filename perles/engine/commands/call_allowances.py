"""How many calls of tools a turn may make, and what is kept of refused calls."""

from __future__ import annotations

from typing import Any, Final

from perles.engine.resources.allowance import Allowance
from perles.engine.services import Services
from perles.mcp.host import Caller
from perles.store.events import journal

STRAY_CALLS: Final = 100
"""Calls with an agent's token while no turn of it lives: all are refused."""
MAX_STRAYS: Final = 1_000
"""Agents without a turn whose calls are counted at a time."""
MAX_REFUSED: Final = 2_000
"""Characters that are kept of each argument of a call that was refused, and of the reason."""


class CallAllowances:
    """What the callers of tools may still call."""

    def __init__(self, services: Services) -> None:
        self._context = services
        self._strays: dict[int, Allowance] = {}

    def of(self, caller: Caller) -> Allowance:
        """That of the caller's turn; before one, and after its end, an agent has little."""
        live = self._context.turns.of_agent(caller.agent_id)
        if live is not None:
            return live.calls
        if len(self._strays) > MAX_STRAYS:
            self._strays.clear()
        return self._strays.setdefault(caller.agent_id, Allowance.calls(STRAY_CALLS))

    async def take(self, caller: Caller, allowance: Allowance, size: int) -> None:
        """A call was written; tell where it was the last that may be."""
        allowance.take(size)
        if allowance.is_open or allowance.is_told:
            return
        live = self._context.turns.of_agent(caller.agent_id)
        about = {"workflow_id": caller.workflow_id, "agent_id": caller.agent_id}
        turn = {} if live is None else {"turn_id": live.turn_id}
        await self._context.writer.write(lambda tx: allowance.tell(tx, {**about, **turn}))
        allowance.told()


def shortened(args: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a refused call, as far as they are worth keeping."""
    cut = {name: _cut(value) for name, value in args.items()}
    text = journal.encode(cut)
    return cut if len(text) <= 4 * MAX_REFUSED else {"cut": text[:MAX_REFUSED]}


def _cut(value: Any) -> Any:
    if not isinstance(value, str) or len(value) <= MAX_REFUSED:
        return value
    return f"{value[:MAX_REFUSED]}… [cut, {len(value)} characters]"
