"""Who is next for an AI call."""

from collections.abc import Sequence

from perles.domain.priority import AGEING, Waiting, choose


def _waits(
    name: str, *, priority: int = 1, since: float = 0.0, coordinator: bool = False
) -> Waiting:
    """`wf/3` is agent 3 of the workflow `wf`."""
    workflow, _, agent = name.partition("/")
    return Waiting(int(agent), workflow, priority, coordinator, since)


def _names(chosen: Sequence[Waiting]) -> list[str]:
    return [f"{one.workflow_id}/{one.agent_id}" for one in chosen]


def test_the_oldest_is_first() -> None:
    line = [_waits("a/1", since=20), _waits("b/2", since=10)]

    assert _names(choose(line, {}, 2)) == ["b/2", "a/1"]


def test_a_higher_priority_is_first_although_younger() -> None:
    line = [_waits("a/1", priority=0), _waits("b/2", priority=2, since=30)]

    assert _names(choose(line, {"c": 1}, 2)) == ["b/2"]


def test_waiting_long_enough_outweighs_a_higher_priority() -> None:
    low = _waits("a/1", priority=0)

    almost = choose([low, _waits("b/2", priority=1, since=AGEING - 1)], {"c": 1}, 2)
    enough = choose([low, _waits("b/2", priority=1, since=AGEING + 1)], {"c": 1}, 2)

    assert (_names(almost), _names(enough)) == (["b/2"], ["a/1"])


def test_a_coordinator_is_before_a_worker_of_the_same_second() -> None:
    line = [_waits("a/1", since=5.1), _waits("b/2", since=5.9, coordinator=True)]

    assert _names(choose(line, {"c": 1}, 2)) == ["b/2"]


def test_no_workflow_gets_the_last_call_while_another_waits() -> None:
    line = [_waits(f"a/{n}", priority=2) for n in range(1, 5)] + [_waits("b/9", priority=0)]

    assert _names(choose(line, {}, 3)) == ["a/1", "a/2", "b/9"]
    assert _names(choose(line[:4], {}, 3)) == ["a/1", "a/2", "a/3"]


def test_a_single_call_goes_by_rank_alone() -> None:
    assert _names(choose([_waits("a/1", since=2), _waits("b/2", since=1)], {}, 1)) == ["b/2"]


def test_nothing_is_granted_beyond_a_limit_that_was_lowered() -> None:
    assert choose([_waits("a/1")], {"b": 3}, 2) == []
