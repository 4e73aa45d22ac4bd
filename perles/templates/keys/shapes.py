"""JSON Schemas of values that several keys take.

YAML has texts, numbers and yes or no; a reader takes each as text, so that `1.10` stays `1.10`.
"""

from collections.abc import Mapping
from typing import Any, Final, TypeAlias

Schema: TypeAlias = Mapping[str, Any]

TEXT: Final[Schema] = {"type": ["string", "number", "boolean"]}
WORDS: Final[Schema] = {"type": "string", "minLength": 1}
YES_OR_NO: Final[Schema] = {
    "anyOf": [{"type": "boolean"}, {"enum": ["true", "false", "yes", "no", "on", "off"]}]
}
DURATION: Final[Schema] = {"type": "string", "pattern": r"^\s*\d"}
ENV_NAME: Final[Schema] = {"type": "string", "pattern": "^[A-Za-z_][A-Za-z0-9_]*$"}
VARIABLES: Final[Schema] = {
    "type": "object",
    "propertyNames": {"pattern": "^[A-Za-z_][A-Za-z0-9_]*$"},
    "additionalProperties": TEXT,
}


def whole(low: int, high: int) -> Schema:
    """A whole number in a range."""
    return {"type": "integer", "minimum": low, "maximum": high}


def items(of: Schema, low: int = 0, high: int | None = None) -> Schema:
    """A list."""
    found: dict[str, Any] = {"type": "array", "items": of}
    found |= {"minItems": low} if low else {}
    return found | ({} if high is None else {"maxItems": high})


def either(*shapes: Schema) -> Schema:
    """One of several shapes."""
    return {"anyOf": list(shapes)}


def one_or_more(of: Schema, high: int) -> Schema:
    """One, which may stand without brackets, or a list."""
    return either(of, items(of, 1, high))


def parts(known: Mapping[str, Schema], needed: tuple[str, ...] = ()) -> Schema:
    """Keys and values that are known."""
    found: dict[str, Any] = {
        "type": "object",
        "properties": dict(known),
        "additionalProperties": False,
    }
    return found | ({"required": list(needed)} if needed else {})
