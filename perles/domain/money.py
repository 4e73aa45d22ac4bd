"""What something cost, in words: unknown is not the same as nothing."""

from collections.abc import Iterable, Mapping
from typing import Any


def in_words(cost: float, tokens: int, agents: Iterable[Mapping[str, Any]] = ()) -> str:
    """`0.12 USD`; `cost unknown` where tokens were used and no cost was reported.

    The cost is the sum of `agents`: `at least 0.12 USD` where the cost of one is unknown.
    """
    if is_unknown(cost, tokens):
        return "cost unknown"
    some = any(is_unknown(one["cost_usd"], one["tokens_in"] + one["tokens_out"]) for one in agents)
    return f"{'at least ' if some else ''}{cost:.2f} USD"


def in_cell(cost: float, tokens: int, unit: str = "") -> str:
    """For a column: `0.12`, `-` for none, `?` where tokens were used and no cost was reported."""
    if is_unknown(cost, tokens):
        return "?"
    return f"{unit}{cost:.2f}" if cost else "-"


def is_unknown(cost: float, tokens: int) -> bool:
    """Whether tokens were used, and no CLI and no price told what they cost."""
    return bool(tokens) and not cost
