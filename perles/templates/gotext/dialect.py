"""Which syntax a text is written in: Go's text/template, or Jinja2."""

import re
from typing import Final

from perles.domain.patterns import lazy_pattern
from perles.templates.gotext.functions import NAMES
from perles.templates.gotext.parser import KEYWORDS

_OPENED: Final = lazy_pattern(r"\{\{-?[ \t\r\n]*(?=(.{0,80}))", re.DOTALL)
_ASIDE: Final = lazy_pattern(r"\{\{(-[ \t\r\n])?/\*.*?\*/|\{\{[^{}`]*`[^`]*`", re.DOTALL)
"""Comments, and texts in backquotes: what stands in them counts for nothing."""
_WORD: Final = lazy_pattern(r"([^\W\d]\w*)(.?)(\s*)(.?)", re.DOTALL)


def is_go(text: str) -> bool:
    """Whether a text is written for Go's text/template.

    Where an action of Jinja2 stands beside plain fields, as `{{.Args.goal}}`, it is Jinja2.
    """
    begins = [match.group(1) for match in _OPENED.finditer(_ASIDE.sub("{{.", text))]
    is_jinja = "{%" in text or any(map(_is_action_of_jinja, begins))
    return not is_jinja and any(map(_is_action_of_go, begins))


def _is_action_of_go(begin: str) -> bool:
    if begin.startswith((".", "$", "/*", "(.", "($", "`")):
        return True
    word = _WORD.match(begin)
    if word is None:
        return (
            begin.startswith('"') and re.match(r'"[^"]*"\s*(-?\}\}|\|\s*print)', begin) is not None
        )
    name, after, _, value = word.groups()
    if name in KEYWORDS:
        return True
    spaced = after in (" ", "\t", "\n", "\r")
    return spaced and ((value in ".$" and value != "") or (name in NAMES and value in '"`('))


def _is_action_of_jinja(begin: str) -> bool:
    """Whether it is certain that an action is Jinja2's."""
    word = _WORD.match(begin)
    return (
        word is not None and word.group(1) not in KEYWORDS | NAMES and not _is_action_of_go(begin)
    )
