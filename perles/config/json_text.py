"""JSON for a reader of YAML, which is almost a superset of it."""

import json
import re
from typing import Final

from perles.domain.patterns import lazy_pattern

_PAIR: Final = lazy_pattern(
    r"(?<!\\)((?:\\\\)*)\\u([dD][89abAB][0-9a-fA-F]{2})\\u([dD][c-fC-F][0-9a-fA-F]{2})"
)
"""A letter beyond the first 65,536 as JSON writes it: after an even number of backslashes."""
_OF_YAML_ALONE: Final = lazy_pattern("[\x7f-\x9f\u2028\u2029\ufeff\ufffe\uffff]")
"""Letters that YAML takes for line breaks, or does not read."""
_DIFFERS: Final = lazy_pattern(rf"\t|{_PAIR.pattern}|{_OF_YAML_ALONE.pattern}")


def as_yaml(text: str) -> str:
    """JSON as YAML writes the same, line for line; any other text as it is.

    What differs are pairs of surrogates, tabs between values, and a few letters in texts.
    """
    if text.lstrip()[:1] not in ("{", "[") or _DIFFERS.search(text) is None:
        return text
    try:
        json.loads(text)
    except (ValueError, RecursionError):
        return text  # no JSON: there such a pair may be a text of its own

    def whole(match: re.Match[str]) -> str:
        high, low = int(match.group(2), 16), int(match.group(3), 16)
        letter = 0x10000 + ((high - 0xD800) << 10) + (low - 0xDC00)
        return f"{match.group(1)}\\U{letter:08x}"

    plain = _PAIR.sub(whole, text.replace("\t", " "))  # no text of JSON holds a bare tab
    return _OF_YAML_ALONE.sub(lambda match: f"\\u{ord(match.group()):04x}", plain)
