"""How much one turn may have written about it: rows and bytes, so that no agent fills the disk."""

from __future__ import annotations

from typing import Any, Final, Self

from perles.domain.records import dataclass
from perles.domain.size import format_size
from perles.store.events import journal
from perles.store.transaction import Tx

OUTPUT_ROWS: Final = 10_000
OUTPUT_BYTES: Final = 6 * 1024 * 1024
"""Of events about what an agent prints. Its file keeps all of it, and usage is counted on."""
CALLS: Final = 2_000
CALL_BYTES: Final = 4 * 1024 * 1024
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
        """Whether a call of `size` characters may be carried out; if not, it is counted."""
        if self.is_open or (kind in LAST_WORDS and size <= LAST_BYTES):
            return True
        self.leave_out(size)
        return False

    def take(self, size: int) -> None:
        """A row of `size` bytes was written."""
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


def tell_left_out(tx: Tx, allowances: tuple[Allowance, ...], about: dict[str, Any]) -> None:
    """Tell at a turn's end how much of it was not written."""
    left = {
        one.of: {"count": one.left_rows, "bytes": one.left_bytes}
        for one in allowances
        if one.left_rows
    }
    if left:
        journal.append(tx, "turn.left_out", left, **about)
