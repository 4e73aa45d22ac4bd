"""Limits on one turn: how long it may take, be silent, and print.

They hold for a turn that another engine began, too: its age is the age of its
process, which no clock that is set can change.
"""

import time
from typing import Final

from perles.agents.provider import Outcome
from perles.config.model import Config
from perles.domain.duration import format_duration
from perles.engine.turns.live import LiveTurn

LOOK_SECONDS: Final = 1.0
"""How often one turn is looked at: limits are minutes, and gigabytes."""

OUTPUT_LIMIT: Final = "output_limit"
"""The error class of a turn that printed too much."""


class TurnLimits:
    """Looks at live turns, one at a time."""

    def broken_by(self, live: LiveTurn, config: Config) -> Outcome | None:
        """What the turn is to be ended for, if anything; nothing where it was just looked at."""
        now = time.monotonic()
        if live.identity is None or now < live.checked_at + LOOK_SECONDS:
            return None
        live.checked_at = now
        silent_for = self._listen(live)
        if live.written > config.limits.turn_output:
            return Outcome(
                False,
                OUTPUT_LIMIT,
                f"it printed {live.written} bytes, the limit is {config.limits.turn_output} bytes "
                "(orchestration.limits.turn_output)",
            )
        if config.timeouts.turn and live.process.age() > config.timeouts.turn:
            return _timed_out("it took longer than", config.timeouts.turn, "turn")
        if config.timeouts.silence and silent_for > config.timeouts.silence:
            return _timed_out("it printed nothing for", config.timeouts.silence, "silence")
        return None

    def _listen(self, live: LiveTurn) -> float:
        """How long the turn has printed nothing."""
        now = time.monotonic()
        written = live.process.written()
        if written != live.written:
            first = live.written < 0
            live.written = written
            live.heard_at = now - (live.process.silence() if first else 0.0)
        return now - live.heard_at


def _timed_out(what: str, seconds: float, key: str) -> Outcome:
    text = f"{what} {format_duration(seconds)} (orchestration.timeouts.{key})"
    return Outcome(False, "timed_out", text)
