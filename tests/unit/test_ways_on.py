"""What a refusal advises works in the state that refused, and leads on."""

import ast
import re
from collections.abc import Collection, Iterator
from pathlib import Path
from typing import Final

import pytest

import perles
from perles.access.decisions import _step
from perles.domain.commands import COMMANDS
from perles.domain.errors import PersonNeededError, WrongStateError
from perles.domain.states import RETRIABLE, WORKFLOW

STATES: Final = tuple(str(state) for state in WORKFLOW.states)
LOOKS: Final = "show"
STEPS: Final[dict[str, Collection[str]]] = {
    **{one.step: one.states for one in COMMANDS.values() if one.states},
    "remove": WORKFLOW.terminal,
    "retry": RETRIABLE,
    "rebase": {state for state in STATES if state != "running"},
}
"""What can be refused for a workflow's state, and the states that allow it."""
REFUSED: Final = [
    (step, state) for step, allowed in STEPS.items() for state in STATES if state not in allowed
]
_BARE: Final = re.compile(r"\b(within|after|longer than|shorter than|for|every|in) $")
_NAMES: Final = re.compile(
    r"timeout|seconds|delay|pause|period|interval|grace|patience|\bttl", re.I
)
_SPANS: Final = ("span(", "short_span(", "format_duration(")
_UNIT: Final = re.compile(r" ?(s|ms|seconds?|minutes?|hours?|days?)\b")


def _advised(step: str, state: str) -> str:
    said = str(WrongStateError("workflow", "wf-1", state, step))
    found = re.fullmatch(r"cannot .+: it is \w+; .+: perles (\w+) wf-1", said)
    assert found is not None, said
    return found[1]


@pytest.mark.parametrize(("step", "state"), REFUSED)
def test_what_is_advised_works_in_that_state(step: str, state: str) -> None:
    verb = _advised(step, state)

    assert verb != step
    assert verb == LOOKS or state in STEPS[verb]


@pytest.mark.parametrize(("step", "state"), REFUSED)
def test_what_is_advised_leads_to_a_state_that_allows_it(step: str, state: str) -> None:
    verb = _advised(step, state)
    after = {edge.dest for edge in WORKFLOW.edges if edge.trigger == verb}

    if verb in ("stop", "pause"):  # what ends or halts work is advised for nothing less
        assert after <= set(STEPS[step])
    if step in ("remove", "archive") and state not in WORKFLOW.terminal:
        assert verb == "stop"


@pytest.mark.parametrize("kind", [kind for kind, one in COMMANDS.items() if one.states])
def test_a_refused_agent_reads_a_sentence(kind: str) -> None:
    said = str(PersonNeededError(_step(kind, "wf-1"), "worker-1 of wf-2"))

    assert said.startswith(f"cannot {COMMANDS[kind].step} wf-1: this process belongs to ")


def _bare_spans() -> Iterator[str]:
    """Texts that tell a time as a number without a unit."""
    for path in sorted(Path(perles.__file__).parent.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.JoinedStr):
                yield from (f"{path.name}:{node.lineno} {text}" for text in _bare_in(node))


def _bare_in(text: ast.JoinedStr) -> Iterator[str]:
    parts = [*text.values, ast.Constant("")]
    for before, value, after in zip(parts, parts[1:], parts[2:], strict=False):
        if not (isinstance(before, ast.Constant) and isinstance(value, ast.FormattedValue)):
            continue
        told = ast.unparse(value.value)
        follows = str(after.value) if isinstance(after, ast.Constant) else ""
        is_time = _BARE.search(str(before.value)) and _NAMES.search(told)
        if is_time and not told.startswith(_SPANS) and not _UNIT.match(follows):
            yield told


def test_a_time_in_a_message_has_a_unit() -> None:
    assert list(_bare_spans()) == []
