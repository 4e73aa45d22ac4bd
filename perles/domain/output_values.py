"""What a command wrote to `$PERLES_OUTPUT`: values by name, for later tasks. Pure.

Lines of `name=value`, or `name<<END` and lines up to one that is END; or one JSON object.
"""

import json
from collections.abc import Iterator
from typing import Any, Final

from perles.domain.patterns import lazy_pattern

VARIABLE: Final = "PERLES_OUTPUT"
MAX_BYTES: Final = 64 * 1024
"""Of the whole file."""
MAX_NAMES: Final = 100
NAME: Final = lazy_pattern(r"[A-Za-z_][A-Za-z0-9_-]{0,99}")
_SEVERAL: Final = lazy_pattern(r"([A-Za-z_][A-Za-z0-9_-]{0,99})<<(\S+)")


class WrittenError(ValueError):
    """What was written cannot be read; its text says why."""


def values_of(content: bytes) -> dict[str, str]:
    """The values by name; the last one counts of several. Raises `WrittenError`."""
    if len(content) > MAX_BYTES:
        raise WrittenError(f"it is over {MAX_BYTES // 1024} KiB")
    try:
        text = content.decode()
    except UnicodeDecodeError as error:
        raise WrittenError(f"byte {error.start} is not UTF-8") from error
    if "\0" in text:
        raise WrittenError("it holds a NUL")
    found = _of_json(text) if text.lstrip().startswith("{") else dict(_of_lines(text))
    if len(found) > MAX_NAMES:
        raise WrittenError(f"it has {len(found)} names; {MAX_NAMES} at most")
    return found


def _of_json(text: str) -> dict[str, str]:
    try:
        values: dict[str, Any] = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise WrittenError(f"it is no JSON: {error}") from error
    return {_name(name, "the JSON object"): _text(value) for name, value in values.items()}


def _text(value: Any) -> str:
    """A value as text: lists and objects as JSON, in one line."""
    if isinstance(value, str):
        return value.encode(errors="replace").decode()
    return "" if value is None else json.dumps(value)


def _of_lines(text: str) -> Iterator[tuple[str, str]]:
    lines = iter(enumerate(text.split("\n"), 1))
    for number, line in lines:
        line = line.removesuffix("\r")
        if not line.strip():
            continue
        if several := _SEVERAL.fullmatch(line):
            yield several[1], "\n".join(_until(lines, several[2], number))
            continue
        name, equals, value = line.partition("=")
        if not equals:
            raise WrittenError(f"line {number} is no name=value: {line[:60]!r}")
        yield _name(name.strip(), f"line {number}"), value


def _until(lines: Iterator[tuple[int, str]], end: str, began: int) -> Iterator[str]:
    for _, line in lines:
        if line.removesuffix("\r") == end:
            return
        yield line
    raise WrittenError(f"the value that begins in line {began} has no end: no line is {end!r}")


def _name(name: str, where: str) -> str:
    if not NAME.fullmatch(name):
        raise WrittenError(f"{name[:60]!r} in {where} is no name; use letters, digits, _ and -")
    return name
