"""Filling arguments into texts: Jinja2 in its sandbox, or the syntax of Go's text/template.

Most texts hold nothing to fill in: the two languages are imported only for texts that do.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from perles.domain.execution import Language

MAX_PLAIN: Final = 1024 * 1024
"""Characters; longer texts are refused where they are filled in."""


def render(
    text: str, values: Mapping[str, Any], *, source: str, written_in: Language | None = None
) -> str:
    """`text` with its `{{ … }}` filled in; in a script, each value is one quoted word or text.

    In a text of Jinja2, `{{.Args.goal}}` means `{{ Args.goal }}`. Raises `UsageError` that names
    `source`.
    """
    if _is_plain(text):
        return text
    from perles.templates.jinja import filled

    return filled(text, values, source=source, written_in=written_in)


def check_variables(
    text: str,
    variables: Sequence[str],
    arguments: Sequence[str],
    *,
    source: str,
    has_lines: bool = True,
) -> None:
    """Raise `UsageError` where `text` names a variable, or one of `Args`, that there is not."""
    if _is_plain(text):
        return
    from perles.templates.jinja import check

    check(text, variables, arguments, source=source, has_lines=has_lines)


def _is_plain(text: str) -> bool:
    """Whether there is nothing in a text that either language would change or refuse."""
    return "{" not in text and "\r" not in text and len(text) <= MAX_PLAIN
