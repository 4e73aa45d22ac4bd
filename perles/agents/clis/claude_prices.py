"""What Claude's models cost by the list that Claude Code counts with.

It is used where the CLI did not come to tell: a turn that was cut off. What the CLI
tells later shows the price of a model, and goes before the list.
"""

import re
from collections.abc import Mapping
from typing import Final

from perles.domain.patterns import lazy_pattern

OUTPUT, CACHED, WRITTEN = 5.0, 0.1, 1.25
"""What a token costs by its kind, for one of input: the same for all of these models."""

_INPUT: Final[tuple[tuple[str, float], ...]] = (
    ("haiku-5-5", 0.1),
    ("3-5-haiku", 0.8),
    ("haiku", 1.0),
    ("sonnet-5-5", 2.0),
    ("sonnet", 3.0),
    ("opus-5", 4.0),
    ("opus", 5.0),
    ("fable-5-2", 8.0),
    ("fable", 10.0),
)
"""USD for a million tokens of input, the first name that fits (measured with 2.1.197, 2.1.332)."""
_CLAUDE: Final = lazy_pattern(r"\bclaude-", re.IGNORECASE)


def weighed(*, given: int, out: int, cached: int, written: int) -> float:
    """Tokens of all kinds as tokens of input: what is multiplied by the price of one."""
    return given + OUTPUT * out + CACHED * cached + WRITTEN * written


def price_of(model: str, learned: Mapping[str, float]) -> float | None:
    """USD for one token of input; None for a model that nobody knows the price of."""
    if model in learned:
        return learned[model]
    if not _CLAUDE.search(model):
        return None
    return next((usd / 1e6 for name, usd in _INPUT if name in model), None)
