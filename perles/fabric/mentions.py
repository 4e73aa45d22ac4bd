"""Mentions: the `@names` in a text. Pure, so that it can be tried on any text.

No mention stands in code (a span between backticks, a fenced block), and none is part of
an e-mail address or a path. What follows a name as punctuation does not belong to it.
"""

import re
from collections.abc import Collection
from typing import Final, NamedTuple

from perles.domain.patterns import lazy_pattern

HERE: Final = "here"
"""`@here`: all agents of the workflow, except observers."""
MAX_UNKNOWN: Final = 10
"""Names that nobody has, of which the author is told."""

_FENCE: Final = lazy_pattern(r"^ {0,3}(`{3,}|~{3,})[^\n]*$", re.MULTILINE)
_SPAN: Final = lazy_pattern(r"(?<!`)(`+)(?!`)(.+?)(?<!`)\1(?!`)", re.DOTALL)
_MENTION: Final = lazy_pattern(r"(?<![\w.%+@/=-])@([A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?)")


class Mentions(NamedTuple):
    """Names in the order in which they come, each once, in lower case."""

    known: tuple[str, ...]
    unknown: tuple[str, ...]
    here: bool


def find(text: str, names: Collection[str]) -> Mentions:
    """Who is mentioned in a text; `names` are the existing names, in lower case."""
    if "@" not in text:
        return Mentions((), (), False)
    found = list(dict.fromkeys(name.lower() for name in _MENTION.findall(without_code(text))))
    known = tuple(name for name in found if name in names)
    others = [name for name in found if name not in names and name != HERE]
    return Mentions(known, tuple(others[:MAX_UNKNOWN]), HERE in found)


def without_code(text: str) -> str:
    """The text with a blank for each fenced block and each span of code."""
    if "`" not in text and "~" not in text:
        return text
    return _SPAN.sub(" ", _without_fences(text))


def _without_fences(text: str) -> str:
    """One that is never closed reaches to the end of the text, as in Markdown."""
    kept, at = [], 0
    while opening := _FENCE.search(text, at):
        kept.append(text[at : opening.start()])
        fence = opening[1]
        closing = re.compile(rf"^ {{0,3}}{re.escape(fence[0])}{{{len(fence)},}} *$", re.MULTILINE)
        end = closing.search(text, opening.end())
        if end is None:
            return "\n".join(kept)
        at = end.end()
    kept.append(text[at:])
    return "\n".join(kept)
