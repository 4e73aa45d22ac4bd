"""How much one turn may have written about it: rows and bytes, so that no agent fills the disk."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final, Self

from perles.domain.size import format_size
from perles.mcp.host import Caller
from perles.store import journal
from perles.store.database import Tx

if TYPE_CHECKING:
    from perles.engine.context import Context

OUTPUT_ROWS: Final = 10_000
OUTPUT_BYTES: Final = 6 * 1024 * 1024
"""Of events about what an agent prints. Its file keeps all of it, and usage is counted on."""
CALLS: Final = 2_000
CALL_BYTES: Final = 4 * 1024 * 1024
STRAY_CALLS: Final = 100
"""Calls with an agent's token while no turn of it lives: all are refused."""
MAX_STRAYS: Final = 1_000
"""Agents without a turn whose calls are counted at a time."""
MAX_REFUSED: Final = 2_000
"""Characters that are kept of each argument of a call that was refused, and of the reason."""
LAST_WORDS: Final = frozenset(
    {"report_implementation_complete", "signal_workflow_complete", "signal_ready"}
)
"""Calls that end what an agent is at: they are carried out whatever was called before."""
LAST_BYTES: Final = 64 * 1024
"""How large such a call may be then."""


@dataclass(slots=True)
class Allowance:
    """What may still be written about one turn, and how much was left out.

    `is_told` is set once an event about it is committed.
    """

    of: str
    rows: int
    size: int
    left_rows: int = 0
    left_bytes: int = 0
    is_told: bool = False

    @classmethod
    def output(cls) -> Self:
        """For what an agent prints in one turn."""
        return cls("output", OUTPUT_ROWS, OUTPUT_BYTES)

    @classmethod
    def calls(cls, rows: int = CALLS) -> Self:
        """For the tool calls of one turn, refused ones too."""
        return cls("calls", rows, CALL_BYTES)

    @property
    def is_open(self) -> bool:
        """Whether anything may be written."""
        return self.rows > 0 and self.size > 0

    def admits(self, kind: str, size: int) -> bool:
        """Whether a call of so many characters may be carried out; if not, it is counted."""
        if self.is_open or (kind in LAST_WORDS and size <= LAST_BYTES):
            return True
        self.leave_out(size)
        return False

    def take(self, size: int) -> None:
        """One row of so many bytes was written."""
        self.rows -= 1
        self.size -= size

    def leave_out(self, size: int) -> None:
        """One was not written."""
        self.left_rows += 1
        self.left_bytes += size

    def tell(self, tx: Tx, about: dict[str, Any]) -> None:
        """Tell, the first time, that no more is written."""
        if self.is_open or self.is_told:
            return
        text = (
            "this turn printed more than the journal takes of one; perles logs has all of it"
            if self.of == "output"
            else "this turn called more tools than a turn may; further calls are refused"
        )
        journal.append(tx, "turn.allowance_used_up", {"of": self.of, "text": text}, **about)

    def told(self) -> None:
        """What `tell` wrote is committed."""
        self.is_told = self.is_told or not self.is_open

    def refusal(self, kind: str) -> str:
        """What the agent is answered."""
        return (
            f"cannot {kind}: a turn may make {CALLS} calls, of {format_size(CALL_BYTES)} together, "
            "and this one did; report what you have, or end your turn"
        )


class CallAllowances:
    """What the callers of tools may still call."""

    def __init__(self, context: Context) -> None:
        self._context = context
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


def tell_left_out(tx: Tx, allowances: tuple[Allowance, ...], about: dict[str, Any]) -> None:
    """Tell at a turn's end how much of it was not written."""
    left = {
        one.of: {"count": one.left_rows, "bytes": one.left_bytes}
        for one in allowances
        if one.left_rows
    }
    if left:
        journal.append(tx, "turn.left_out", left, **about)


def shortened(args: dict[str, Any]) -> dict[str, Any]:
    """The arguments of a refused call, as far as they are worth keeping."""
    cut = {name: _cut(value) for name, value in args.items()}
    text = journal.encode(cut)
    return cut if len(text) <= 4 * MAX_REFUSED else {"cut": text[:MAX_REFUSED]}


def _cut(value: Any) -> Any:
    if not isinstance(value, str) or len(value) <= MAX_REFUSED:
        return value
    return f"{value[:MAX_REFUSED]}… [cut, {len(value)} characters]"
