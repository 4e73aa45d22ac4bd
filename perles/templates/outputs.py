"""`{{ tasks.KEY.output }}`: what an earlier task reported, in a later one's prompt or command."""

import re
import shlex
from collections.abc import Mapping
from typing import Final

from perles.domain.quoting import quoted

_REFERENCE: Final = re.compile(r"\{\{-?\s*tasks\.([A-Za-z0-9_-]+)\.(\w+)\s*-?\}\}")
MAX_OUTPUT: Final = 16 * 1024
"""Characters of one task's output that are filled in."""


def references(text: str) -> list[tuple[str, str]]:
    """The tasks that a text refers to, each with the field that it wants."""
    return [(match.group(1), match.group(2)) for match in _REFERENCE.finditer(text)]


def fill(text: str, outputs: Mapping[str, str], *, for_shell: bool) -> str:
    """The text with outputs filled in; for the shell, each is quoted as one word.

    In a prompt an output of several lines is quoted line by line, on lines of its own.
    """

    def value(match: re.Match[str]) -> str:
        found = outputs.get(match.group(1), "")
        if len(found) > MAX_OUTPUT:
            found = f"{found[:MAX_OUTPUT]}… [cut, {len(found)} characters]"
        if for_shell:
            return shlex.quote(found)
        return f"\n{quoted(found)}\n" if len(found.splitlines()) > 1 else found

    return _REFERENCE.sub(value, text)
