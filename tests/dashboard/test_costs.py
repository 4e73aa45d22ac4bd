"""A cost that nobody told is not shown as none."""

import pytest

from perles.dashboard.frames.compose import Composer
from perles.dashboard.model.state import Detail, State, View
from perles.store.reads.dashboard import Totals
from tests.dashboard.views import inside, row, table

SIZE = (120, 40)
DETAIL = State(screen="detail", detail=Detail("wf-00000000"))


def _lines(state: State, view: View) -> list[str]:
    frame = Composer().compose(state, view)[1]
    return ["".join(segment.text for segment in line) for line in frame.lines]


@pytest.mark.parametrize(
    ("tokens", "cost", "shown"), [(500, 0.0, " ? "), (500, 0.25, " $0.25 "), (0, 0.0, " - ")]
)
def test_a_cost_is_unknown_where_tokens_were_used_and_none_was_told(
    tokens: int, cost: float, shown: str
) -> None:
    used = row(0, tokens_used=tokens, cost_usd=cost)
    listed = table(1, SIZE)._replace(rows={used["id"]: used})
    opened = inside(SIZE)
    assert opened.inside is not None
    opened = opened._replace(inside=opened.inside._replace(row=used), rows={used["id"]: used})

    (of_table,) = (line for line in _lines(State(), listed) if "workflow 0" in line)
    (head,) = (line for line in _lines(DETAIL, opened) if " tok " in line)

    assert shown in f"{of_table} "
    assert shown in f"{head} "


@pytest.mark.parametrize(
    ("cost", "unpriced", "shown"),
    [
        (0.0, 500, "  ? today"),
        (4.2, 500, "  ≥$4.20 today"),
        (4.2, 0, "  $4.20 today"),
        (0, 0, "  - today"),
    ],
)
def test_what_today_cost_is_unknown_where_turns_told_none(
    cost: float, unpriced: int, shown: str
) -> None:
    spent = Totals(tokens=500, cost_today=cost, unpriced_today=unpriced)

    (top, *_) = _lines(State(), table(1, SIZE)._replace(totals=spent))

    assert shown in top
