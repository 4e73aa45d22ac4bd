"""Values as Go's text/template sees them: what is true, what is equal, and how they are printed."""

from collections.abc import Mapping
from typing import Any, Final

MAX_LENGTH: Final = 1024 * 1024
"""Characters of a text that is made."""


class _NoValue:
    """What is read from a map under a key that it does not have."""

    def __repr__(self) -> str:
        return "<no value>"


NO_VALUE: Final = _NoValue()


class Fields(dict[str, Any]):
    """What a whole text is given: to read a field that it does not have is an error."""


def is_true(value: Any) -> bool:
    """Whether `if` takes its first branch."""
    return value is not NO_VALUE and bool(value)


def printed(value: Any) -> str:
    """A value as an action prints it."""
    return "<no value>" if value is NO_VALUE else formatted(value)


def formatted(value: Any) -> str:
    """A value as `print` and `%v` show it."""
    if value is None or value is NO_VALUE:
        return "<nil>"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, Mapping):
        return f"map[{' '.join(f'{key}:{formatted(value[key])}' for key in sorted(value))}]"
    if isinstance(value, list | tuple):
        return f"[{' '.join(formatted(item) for item in value)}]"
    return _of_float(value) if isinstance(value, float) else str(value)


def _of_float(value: float) -> str:
    text = repr(value)
    return text.removesuffix(".0")


def kind_of(value: Any) -> str:
    """The kind that decides what may be compared; "" for what may not."""
    if isinstance(value, bool):
        return "bool"
    for kind, name in ((int, "int"), (float, "float"), (str, "string")):
        if isinstance(value, kind):
            return name
    return ""


def short_kind(value: Any) -> str:
    """What a value is, for errors."""
    if isinstance(value, Mapping):
        return "map[string]string"
    if isinstance(value, list | tuple):
        return "list"
    return kind_of(value) or "nil"
