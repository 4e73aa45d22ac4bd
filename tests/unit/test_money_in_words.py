"""What a workflow used, in words: unknown is not nothing, and nothing is not told."""

import pytest

from perles.cli.agents import _row as agent_row
from perles.cli.list_columns import cells
from perles.cli.output import spent
from perles.cli.show import _tokens as tokens_line


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


@pytest.mark.parametrize(
    ("tokens", "cost", "cell"),
    [(0, 0.0, "-"), (500, 0.0, "?"), (500, 0.25, "0.25"), (0, 0.25, "0.25")],
)
def test_a_column_tells_unknown_and_none_by_signs(tokens: int, cost: float, cell: str) -> None:
    agent = dict.fromkeys(
        ("workflow_id", "name", "provider", "model", "status", "task", "turns", "context_used"), ""
    ) | {"context_window": None, "tokens_in": tokens, "tokens_out": 0, "cost_usd": cost}

    assert cells({"tokens_used": tokens, "cost_usd": cost}, ("cost",), lambda _: "") == [cell]
    assert agent_row(agent)[-2] == cell


@pytest.mark.parametrize(
    ("cost", "others", "words"),
    [
        (0.0, 0, "500, cost unknown"),
        (0.25, 0, "500, 0.25 USD"),
        (0.25, 100, "500, at least 0.25 USD"),
    ],
)
def test_show_tells_that_a_part_of_the_cost_is_unknown(
    cost: float, others: int, words: str
) -> None:
    agents = [
        {"cost_usd": cost, "tokens_in": 400, "tokens_out": 0},
        {"cost_usd": 0.0, "tokens_in": others, "tokens_out": 0},
    ]
    shown = {"tokens_used": 500, "token_budget": None, "cost_usd": cost, "cost_budget": None}

    assert tokens_line(shown | {"agents": agents}) == words
