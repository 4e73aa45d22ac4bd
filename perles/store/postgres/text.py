"""SQL as SQLite takes it, written as PostgreSQL takes it: each text once.

Statements are plain SQL, which both understand. What is left is how parameters are marked, and
the few words for which PostgreSQL has others. Functions that SQLite has by itself, such as
`json_extract`, are defined in the schema there.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import Final, NamedTuple

from perles.domain.patterns import lazy_pattern
from perles.store.postgres.functions import GLOB

_TOKEN: Final = lazy_pattern(
    r"""
    (?P<literal>'(?:[^']|'')*'|"(?:[^"]|"")*")
    | (?P<comment>--[^\n]*)
    | (?P<cast>::)
    | (?P<named>:[A-Za-z_][A-Za-z_0-9]*)
    | (?P<mark>\?)
    | (?P<percent>%)
    | (?P<glob>\b(?:NOT\s+)?GLOB\b)
    | (?P<rowid>\browid\b)
    | (?P<like>\bLIKE\b)
    | (?P<same>\bIS\s+(?:NOT\s+)?(?=[?:]))
    """,
    re.VERBOSE | re.IGNORECASE,
)
_MARKS: Final = frozenset({"named", "mark"})
_INSERT: Final = lazy_pattern(r"\s*INSERT\s+(OR\s+IGNORE\s+)?INTO\s+\"?(\w+)\"?", re.IGNORECASE)
_RETURNING: Final = lazy_pattern(r"\bRETURNING\b", re.IGNORECASE)


class Text(NamedTuple):
    """A statement for the driver."""

    text: str
    marked: bool
    """Whether it has parameters."""
    inserts: str
    """The table of an INSERT that gives nothing back; "" for all others."""


@lru_cache(maxsize=2048)
def translated(sql: str) -> Text:
    """The statement as the driver of PostgreSQL takes it."""
    marked = any(found.lastgroup in _MARKS for found in _TOKEN.finditer(sql))
    text = _TOKEN.sub(lambda found: _word(found, marked=marked), sql)
    found = _INSERT.match(text)
    if found is None:
        return Text(text, marked, "")
    if found.group(1):
        text = text.replace(found.group(1), "", 1) + " ON CONFLICT DO NOTHING"
    return Text(text, marked, "" if _RETURNING.search(text) else found.group(2).lower())


def _word(found: re.Match[str], *, marked: bool) -> str:
    said = found.group()
    match found.lastgroup:
        case "mark":
            return "%s"
        case "named":
            return f"%({said[1:]})s"
        case "glob":
            return f"!{GLOB}" if said[:3].upper() == "NOT" else GLOB
        case "like":
            return "ILIKE"
        case "rowid":  # in the statement that asks for it a row has one, in either
            return "ctid"
        case "same":
            return "IS DISTINCT FROM " if "NOT" in said.upper() else "IS NOT DISTINCT FROM "
    # With parameters the driver reads each per cent as the begin of a marker.
    return said.replace("%", "%%") if marked else said
