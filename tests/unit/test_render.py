"""Arguments in texts: sandboxed, strict, and quoted for the shell."""

import pytest

from perles.domain.errors import UsageError
from perles.domain.execution import Language
from perles.templates.render import render

VALUES = {"Args": {"goal": "it's; rm -rf /", "n": "3"}, "Name": "x"}


def test_jinja_and_the_older_syntax_mean_the_same() -> None:
    both = [render(text, VALUES, source="t") for text in ("{{ Args.n }}", "{{.Args.n}}")]

    assert both == ["3", "3"]


def test_a_value_is_one_word_of_the_shell() -> None:
    assert (
        render("echo {{ Args.goal }}", VALUES, source="t", written_in=Language.SHELL)
        == "echo 'it'\"'\"'s; rm -rf /'"
    )


@pytest.mark.parametrize(
    "text",
    [
        "{{ Args.missing }}",
        "{{ nope }}",
        "{% if %}",
        "{{ ''.__class__.__mro__ }}",
        "{{ range(10**9)|list }}",
        "{{if .Args.goal}}x",
        "{{.Args.goal | upper}}",
        "{{ 'x' * 2000000 }}",
    ],
)
def test_what_cannot_be_filled_in_is_an_error_that_names_the_source(text: str) -> None:
    with pytest.raises(UsageError, match="some/file"):
        render(text, VALUES, source="some/file")
