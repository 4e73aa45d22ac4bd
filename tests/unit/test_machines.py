"""Every edge of every machine is there, and every one that is not there is refused."""

from typing import Any

import pytest

from perles.domain.errors import WrongStateError
from perles.domain.events import EVENT_TYPES, ROLES
from perles.domain.machine import decide
from perles.domain.states import ALL_RULES, Edge, Rules

PAIRS = [
    pytest.param(rules, state, trigger, id=f"{rules.kind}-{state}-{trigger}")
    for rules in ALL_RULES
    for state in rules.states
    for trigger in dict.fromkeys(edge.trigger for edge in rules.edges)
]


def _edge(rules: Rules[Any], state: str, trigger: str) -> Edge[Any] | None:
    for edge in rules.edges:
        if edge.trigger == trigger and state in edge.sources:
            return edge
    return None


@pytest.mark.parametrize(("rules", "state", "trigger"), PAIRS)
def test_a_trigger_takes_its_edge_or_is_refused(
    rules: Rules[Any], state: str, trigger: str
) -> None:
    edge = _edge(rules, state, trigger)

    if edge is None:
        with pytest.raises(WrongStateError) as refused:
            decide(rules, state, trigger, name="x")
        assert (refused.value.state, refused.value.trigger) == (state, trigger)
    else:
        decision = decide(rules, state, trigger)
        assert (decision.source, decision.dest) == (state, edge.dest)
        for role in ROLES:
            assert decision.event.format(role=role) in EVENT_TYPES


@pytest.mark.parametrize("rules", ALL_RULES, ids=lambda rules: rules.kind)
def test_terminal_states_are_those_that_nothing_leaves(rules: Rules[Any]) -> None:
    left = {source for edge in rules.edges for source in edge.sources}

    assert rules.terminal == set(rules.states) - left


@pytest.mark.parametrize("rules", ALL_RULES, ids=lambda rules: rules.kind)
def test_every_state_can_be_reached(rules: Rules[Any]) -> None:
    reached = {rules.states[0]} | {edge.dest for edge in rules.edges}

    assert reached == set(rules.states)


def test_an_unknown_state_or_trigger_is_no_user_error() -> None:
    with pytest.raises(KeyError):
        decide(ALL_RULES[0], "nowhere", "start")
    with pytest.raises(KeyError):
        decide(ALL_RULES[0], "pending", "fly")
