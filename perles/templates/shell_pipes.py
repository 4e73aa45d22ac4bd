"""Commands that hand an output to a shell as its program: no quoting makes that safe.

An output is a variable, which nothing can break out of; but `… | sh`, `sh <<EOF` and `eval` run
what it says on purpose. That cannot be forbidden, for it may be meant; it can be told.
"""

import re
from collections.abc import Iterator
from typing import Final

from perles.domain.patterns import lazy_pattern
from perles.templates.outputs import references

_PROGRAM: Final = r"(?:[\w./-]*/)?(?:(?:ba|da|z|k|fi)?sh|python[\d.]*|perl|ruby|node)"
_BEFORE: Final = r"(?:(?:sudo|env|exec|nohup|command)\s+(?:-\S+\s+|\w+=\S*\s+)*)*"
_SHELL: Final = rf"{_BEFORE}{_PROGRAM}(?:\s+-s?)?"
_REFERENCE: Final = r"\{\{-?\s*tasks\.[\w-]+\.[\w.-]+\s*-?\}\}"
_PIPED: Final = lazy_pattern(rf"{_REFERENCE}[^\n;]*\|&?\s*{_SHELL}\s*(?=$|[\n;|&)}}>]|\d>)", re.M)
_EVALUATED: Final = lazy_pattern(rf"(?:^|[\s;&|(])(?:eval|source|\.)\s[^\n;]*{_REFERENCE}", re.M)
_TYPED: Final = lazy_pattern(rf"(?:^|[;&|(]\s*|\s){_SHELL}\s*<<<\s*[^\n;]*{_REFERENCE}", re.M)
_HERE: Final = lazy_pattern(
    rf"(?:^|[;&|(]\s*|\s){_SHELL}\s*<<-?\s*['\"\\]?(\w+)['\"]?[^\n]*\n(.*?)^\t*\1\s*$", re.M | re.S
)


def outputs_run(script: str) -> list[str]:
    """The keys of the tasks whose outputs this command runs as code, as far as can be seen."""
    texts = [*_places(script)]
    return list(dict.fromkeys(key for text in texts for key, _ in references(text)))


def _places(script: str) -> Iterator[str]:
    for pattern in (_PIPED, _EVALUATED, _TYPED, _HERE):
        for match in pattern.finditer(script):
            yield match.group(0)
