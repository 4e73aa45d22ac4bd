"""The `transitions` machines: one shared rule table per kind, and a pure `decide`."""

from functools import cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from perles.domain.errors import WrongStateError
from perles.domain.states import ALL_RULES, Rules, T, WorkflowState

if TYPE_CHECKING:
    from transitions import Machine


class Decision(NamedTuple):
    """What a trigger does: the state that is left, the one entered, and the event's type."""

    source: str
    dest: str
    event: str


class _Proxy:
    """Stands in for a row while a shared machine decides: binding rows would leak them."""

    __slots__ = ("state",)

    def __init__(self, state: str) -> None:
        self.state = state


@cache
def machine_of(rules: Rules[Any]) -> "Machine":
    """The one machine of this kind. It holds no model: states live in the database."""
    from transitions import Machine  # creating a workflow moves nothing

    return Machine(
        model=None,
        states=list(rules.states),
        initial=rules.states[0],
        auto_transitions=False,
        transitions=[
            {
                "trigger": edge.trigger,
                "source": [str(source) for source in edge.sources],
                "dest": str(edge.dest),
            }
            for edge in rules.edges
        ],
    )


_EVENTS: Final = {
    (rules.kind, source, edge.trigger): edge.event
    for rules in ALL_RULES
    for edge in rules.edges
    for source in edge.sources
}


_DECIDED: Final[dict[tuple[str, str, str], Decision | None]] = {}
"""What machines have said before: they are pure, small, and slow to ask."""


def decide(rules: Rules[T], state: str, trigger: T, *, name: str = "") -> Decision:
    """What `trigger` does in `state`. Pure: no row is read or changed.

    `name` is how the row is called in the error. Raises `WrongStateError` for an
    edge that is not there, `KeyError` for a trigger or state that no machine knows.
    """
    key = (rules.kind, state, trigger)
    if key not in _DECIDED:
        _DECIDED[key] = _decide(rules, state, trigger)
    decision = _DECIDED[key]
    if decision is None:
        raise WrongStateError(rules.kind, name, state, trigger)
    return decision


def _decide(rules: Rules[T], state: str, trigger: T) -> Decision | None:
    """What the machine says; None for an edge that is not there."""
    from transitions import MachineError

    if state not in rules.states:
        raise KeyError(f"no state {state!r} in the machine of {rules.kind}")
    machine = machine_of(rules)
    proxy = _Proxy(state)
    try:
        machine.events[trigger].trigger(proxy)
    except MachineError:
        return None
    return Decision(state, proxy.state, _EVENTS[rules.kind, state, trigger])


def triggers_from(rules: Rules[T], state: str) -> list[T]:
    """The triggers that are allowed in `state`, in the order of the table."""
    return [edge.trigger for edge in rules.edges if state in edge.sources]


def need_running(state: str, step: str, *, name: str) -> None:
    """Raise `WrongStateError` unless the workflow runs: `step` is only for live agents."""
    if state != WorkflowState.RUNNING:
        raise WrongStateError("workflow", name, state, step)
