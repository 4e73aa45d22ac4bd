"""SQL as SQLite takes it, written as PostgreSQL takes it: each text once.

Statements are plain SQL, which both understand. What is left is how parameters are marked, and
the few words for which PostgreSQL has others. Functions that SQLite has by itself, such as
`json_extract`, are defined in the schema there.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from perles.domain.patterns import lazy_pattern
from perles.store.postgres.functions import GLOB

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

_TOKEN: Final = lazy_pattern(
    r"""
    (?P<literal>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<comment>--[^\n]*)
    | (?P<cast>::)
    | (?P<named>:[A-Za-z_][A-Za-z_0-9]*)
    | (?P<mark>\?)
    | (?P<glob>\b(?:NOT\s+)?GLOB\b)
    | (?P<rowid>\browid\b)
    | (?P<like>\bLIKE\b)
    | (?P<empty>\b(?:NOT\s+)?IN\s*\(\s*\))
    | (?P<same>\bIS\s+(?:NOT\s+)?(?=[?:]))
    """,
    re.VERBOSE | re.IGNORECASE,
)
_INSERT: Final = lazy_pattern(r"\s*INSERT\s+(OR\s+IGNORE\s+)?INTO\s+\"?(\w+)\"?", re.IGNORECASE)
_RETURNING: Final = lazy_pattern(r"\bRETURNING\b", re.IGNORECASE)


class Text(NamedTuple):
    """A statement for the server."""

    text: bytes
    names: tuple[str, ...]
    """The parameters $1, $2 … where they are named."""
    marks: int
    """How many parameters there are where they come in order."""
    reads: bool
    inserts: str
    """The table of an INSERT that gives nothing back; "" for all others."""

    def values(self, params: Sequence[Any] | Mapping[str, Any]) -> Sequence[Any]:
        """Parameters in the order of the text."""
        if self.names:
            return [params[name] for name in self.names]  # type: ignore[call-overload] # a mapping
        return params if self.marks else ()  # type: ignore[return-value] # a sequence


@lru_cache(maxsize=2048)
def translated(sql: str) -> Text:
    """The statement as PostgreSQL takes it."""
    words = _Words()
    text = _TOKEN.sub(words.word, sql)
    names, marks = tuple(words.names), words.marks
    reads = text.lstrip()[:6].upper() in ("SELECT", "WITH")
    found = _INSERT.match(text)
    if found is None:
        return Text(text.encode(), names, marks, reads, "")
    if found.group(1):
        text = text.replace(found.group(1), "", 1) + " ON CONFLICT DO NOTHING"
    table = "" if _RETURNING.search(text) else found.group(2).lower()
    return Text(text.encode(), names, marks, reads, table)


class _Words:
    """Says each word of a statement in the other language, and numbers its parameters."""

    def __init__(self) -> None:
        self.names: dict[str, int] = {}
        self.marks = 0

    def word(self, found: re.Match[str]) -> str:
        said = found.group()
        match found.lastgroup:
            case "mark":
                self.marks += 1
                return f"${self.marks}"
            case "named":
                return f"${self.names.setdefault(said[1:], len(self.names) + 1)}"
            case "glob":
                return f"!{GLOB}" if said[:3].upper() == "NOT" else GLOB
            case "like":
                return "ILIKE"
            case "rowid":  # in the statement that asks for it a row has one, in either
                return "ctid"
            case "empty":
                return "<> ALL ('{}')" if said[:3].upper() == "NOT" else "= ANY ('{}')"
            case "same":
                return "IS DISTINCT FROM " if "NOT" in said.upper() else "IS NOT DISTINCT FROM "
        return said
