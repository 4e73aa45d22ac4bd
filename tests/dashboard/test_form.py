"""The form for a new workflow: filled in by keys, checked in place, made a spec."""

from dataclasses import replace
from typing import Any

import pytest

from perles.dashboard.frames.compose import Composer
from perles.dashboard.jobs.worker import GOAL
from perles.dashboard.model.form import Form, check, choose, edit, spec, wrong
from perles.dashboard.model.state import State
from perles.dashboard.terminal.keys import Key
from perles.domain.specs import WorkflowSpec
from tests.dashboard.views import table

PROVIDERS = {"claude": None, "codex": "cannot find codex on PATH; install it", "mycli": None}
NUMBER: dict[str, Any] = {
    "key": "rounds", "label": "Rounds", "type": "number", "required": True, "default": "",
    "description": "", "options": [],
}  # fmt: skip
TEMPLATE: dict[str, Any] = {
    "key": "t", "name": "T", "source": "user", "error": None, "arguments": [NUMBER],
}  # fmt: skip


def _filled(**values: str) -> Form:
    form = replace(choose(Form(), TEMPLATE, "/srv"), providers=PROVIDERS)
    for key, value in {"rounds": "3", **values}.items():
        at = next(index for index, given in enumerate(form.fields) if given.key == key)
        form = edit(replace(form, focus=at), Key("paste", value))
    return form


@pytest.mark.parametrize(
    ("key", "value", "said"),
    [
        ("coordinator", "cluade:opus", "did you mean 'claude'?"),
        ("worker", "nothing-like-it", "there are claude, codex, mycli"),
        ("worker", "codex", "cannot find codex"),
        ("token_budget", "1.5", "whole number"),
        ("cost_budget", "-1", "0 or more"),
        ("cost_budget", "nan", "0 or more"),
        ("cost_budget", "inf", "0 or more"),
        ("workers", "100", "1 to 99"),
        ("workers", "0", "1 to 99"),
        ("labels", "a=b, c", "key=value, not c"),
        ("rounds", "many", "must be a number"),
    ],
)
def test_what_is_wrong_is_told_below_its_field(key: str, value: str, said: str) -> None:
    form = _filled(**{key: value})
    found = check(form)
    assert found is not None
    index, why = found
    assert (form.fields[index].key, said in why) == (key, True)

    left = edit(form, Key("tab"))

    _, frame = Composer().compose(State(screen="form", form=left), table(3, (120, 30)))
    lines = ["".join(part.text for part in line) for line in frame.lines]
    at = next(row for row, line in enumerate(lines) if f"{form.fields[index].label}" in line)
    assert (value in lines[at], "✗" in lines[at + 1]) == (True, True)


def test_what_is_filled_in_becomes_the_spec() -> None:
    form = _filled(
        name="nightly", labels="team=red, x=y", token_budget="1000", cost_budget="2.5",
        coordinator="claude:opus", worker="mycli", workers="3", base_branch="main",
        git_branch="feature/x",
    )  # fmt: skip
    assert check(form) is None

    assert WorkflowSpec(**spec(form)) == WorkflowSpec(
        template_id="t", name="nightly", labels={"team": "red", "x": "y"}, token_budget=1000,
        cost_budget=2.5, coordinator="claude:opus", worker="mycli", workers=3, work_dir="/srv",
        git_branch="feature/x", base_branch="main",
        args={"rounds": "3"},
    )  # fmt: skip


def test_a_goal_in_words_needs_no_template() -> None:
    form = choose(Form(), GOAL, "")
    assert check(form) == (0, "Goal is needed")

    made = spec(edit(form, Key("paste", "tidy up\nthe docs")))

    assert (made["goal"], made["template_id"]) == ("tidy up\nthe docs", "")
    WorkflowSpec(**made)


def test_providers_that_are_not_known_yet_are_left_to_the_creation() -> None:
    form = _filled(worker="whoever")
    given = next(one for one in form.fields if one.key == "worker")

    assert wrong(given, PROVIDERS)
    assert wrong(given, {}) is None
