"""What a parser made of an agent's output, as the rest of Perles may rely on it.

Parsers may be anybody's, and what they read is an agent's. After this, every text can be
encoded and stored, every number fits, and every id can be an argument of a command line.
"""

import math
from collections.abc import Mapping
from typing import Any, Final

from perles.agents.provider import AgentEvent, Kind, Outcome
from perles.domain.bounds import MAX_ID, MAX_LINE_COST, MAX_LINE_TOKENS, MAX_NUMBER

MAX_ERROR: Final = 4000
"""Characters of what a turn failed of."""
MAX_DEPTH: Final = 8
MAX_ITEMS: Final = 200


def event(found: AgentEvent) -> AgentEvent | None:
    """The event within bounds; None where nothing is left of it."""
    data: Mapping[str, Any] = found.data
    if found.kind is Kind.TEXT and not data and found.text.isascii():
        return found  # as nearly all of them are
    if found.kind is Kind.SESSION:
        id = session_id(data.get("id"))
        if id is None:
            return None
        data = {"id": id}
    elif found.kind is Kind.USAGE:
        data = _usage(data)
    elif data:
        data = _plain(data)
    return AgentEvent(found.kind, encodable(found.text), data)


def outcome(found: Outcome) -> Outcome:
    """The outcome within bounds."""
    error = None if found.error is None else _line_text(found.error)[:MAX_ERROR]
    return Outcome(found.succeeded, found.error_class, error, _line_text(found.text))


def session_id(value: object) -> str | None:
    """An id that can stand in a row and on a command line, where it is no option; else None."""
    if not isinstance(value, str) or not 0 < len(value) <= MAX_ID:
        return None
    return value if value.isprintable() and not value.startswith("-") else None


def encodable(text: str) -> str:
    """The text, without what is no character: half a surrogate pair."""
    if text.isascii():
        return text
    try:
        text.encode()
    except UnicodeEncodeError:
        return text.encode(errors="replace").decode()
    return text


def _line_text(text: str) -> str:
    """Text of a column that people read with other tools, which a NUL would cut."""
    return encodable(text).replace("\0", "\ufffd")


def _usage(data: Mapping[str, Any]) -> dict[str, Any]:
    return {encodable(str(name))[:MAX_ID]: _used(str(name), data[name]) for name in data}


def _used(name: str, value: Any) -> Any:
    if name.startswith(("tokens", "context")):
        return int(_number(value, MAX_LINE_TOKENS))
    if name == "cost_usd" and value is not None:
        return float(_number(value, MAX_LINE_COST))
    if name == "totals":
        totals = list(value.items())[:MAX_ITEMS] if isinstance(value, Mapping) else []
        return {encodable(str(key))[:MAX_ID]: _number(one, MAX_NUMBER) for key, one in totals}
    return _plain(value)


def _number(value: object, most: float) -> float:
    """The number from 0 to `most`; 0 for what is none."""
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        return 0
    if isinstance(value, float) and math.isnan(value):
        return 0
    return min(max(value, 0), most)


def _plain(value: Any, depth: int = 0) -> Any:
    """A value that JSON and its readers take."""
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, str):
        return encodable(value)
    if isinstance(value, (int, float)):
        return value if -MAX_NUMBER <= value <= MAX_NUMBER else None
    if depth > MAX_DEPTH:
        return "…"
    if isinstance(value, Mapping):
        items = list(value.items())[:MAX_ITEMS]
        return {encodable(str(key)): _plain(one, depth + 1) for key, one in items}
    if isinstance(value, (list, tuple)):
        return [_plain(one, depth + 1) for one in value[:MAX_ITEMS]]
    return encodable(str(value))
