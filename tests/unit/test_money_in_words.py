"""What a workflow used, in words: unknown is not nothing, and nothing is not told."""

import pytest

from perles.cli.output import spent


@pytest.mark.parametrize(
    ("tokens", "cost", "words"),
    [
        (0, 0.0, ""),
        (12_345, 0.12, ", 12,345 tokens, 0.12 USD"),
        (12_345, 0.0, ", 12,345 tokens, cost unknown"),
        (0, 0.12, ", 0.12 USD"),
    ],
)
def test_what_was_used_is_told(tokens: int, cost: float, words: str) -> None:
    assert spent({"tokens_used": tokens, "cost_usd": cost}) == words
