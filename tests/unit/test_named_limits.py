"""mutex and limit: who is next, and what a file may say."""

from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from perles.domain.errors import UsageError
from perles.domain.named_limits import Claim, next_in_line
from perles.templates.pipeline import read_pipeline

NAMES = st.dictionaries(st.sampled_from("abc"), st.integers(1, 3), min_size=1)


@settings(deadline=None)
@given(st.lists(NAMES, max_size=12))
def test_nobody_ever_shares_a_name_with_more_than_it_allows(wanted: list[dict[str, int]]) -> None:
    claims = [Claim(id, wants, float(id)) for id, wants in enumerate(wanted)]
    held: dict[str, list[int]] = {}
    order = []
    while claims:
        met = next_in_line(claims, held)
        if not met:
            held.clear()  # all that ran have ended
            continue
        assert met == sorted(met, key=lambda claim: claim.place)
        for claim in met:
            for name, size in claim.wants.items():
                held.setdefault(name, []).append(size)
        assert all(len(sizes) <= min(sizes) for sizes in held.values())
        order += [claim.task_id for claim in met]
        claims = [claim for claim in claims if claim not in met]
    assert sorted(order) == list(range(len(wanted)))  # each had its turn


def test_what_the_next_one_waits_for_is_kept_for_it() -> None:
    first, second = Claim(1, {"a": 1, "b": 1}, 0.0), Claim(2, {"b": 1}, 1.0)

    assert next_in_line([second, first], {"a": [1]}) == []
    assert next_in_line([second, first], {}) == [first]
    assert next_in_line([second], {"a": [1]}) == [second]


def test_the_smallest_number_counts() -> None:
    assert next_in_line([Claim(1, {"a": 3}, 0.0)], {"a": [3, 3]})
    assert not next_in_line([Claim(1, {"a": 2}, 0.0)], {"a": [3, 3]})
    assert not next_in_line([Claim(1, {"a": 3}, 0.0)], {"a": [1]})


def _limits(tmp_path: Path, task: str) -> dict[str, int]:
    path = tmp_path / "p.yaml"
    path.write_text(f"name: x\ntasks:\n- {{key: a, {task}}}\n")
    return dict(read_pipeline(path).tasks[0].execution.limits)


def test_a_task_names_what_it_shares(tmp_path: Path) -> None:
    assert _limits(tmp_path, "run: x") == {}
    assert _limits(tmp_path, "run: x, mutex: db") == {"db": 1}
    assert _limits(tmp_path, "run: x, mutex: [db, web/1]") == {"db": 1, "web/1": 1}
    assert _limits(tmp_path, "prompt: x, limit: {gpu: 2, b: 7}") == {"gpu": 2, "b": 7}
    assert _limits(tmp_path, "run: x, mutex: gpu, limit: {gpu: 2}") == {"gpu": 1}


@pytest.mark.parametrize(
    ("task", "said"),
    [
        ("run: x, mutex: ''", "is no name"),
        ("run: x, mutex: {a: 1}", "expected a list"),
        ("run: x, mutex: []", "is empty"),
        ("run: x, mutex: [[a]]", "expected text"),
        ("run: x, mutex: 'a b'", "is no name"),
        ("run: x, limit: gpu", "expected keys and values"),
        ("run: x, limit: {}", "is empty"),
        ("run: x, limit: {gpu: 0}", "out of range"),
        ("run: x, limit: {gpu: some}", "whole number"),
        ("run: x, limit: {gpu: 1.5}", "whole number"),
        ("run: x, limit: {'../..': 1}", "is no name"),
        (f"run: x, mutex: [{', '.join(f'n{n}' for n in range(21))}]", "too many"),
        ("assignee: human, mutex: a", "not for a task with assignee"),
    ],
)
def test_a_wrong_name_or_number_is_refused_with_its_line(
    tmp_path: Path, task: str, said: str
) -> None:
    with pytest.raises(UsageError, match=r"p\.yaml:3: .*(mutex|limit)") as error:
        _limits(tmp_path, task)
    assert said in str(error.value)
