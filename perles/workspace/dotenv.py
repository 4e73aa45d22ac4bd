"""Files of variables, as `.env` is: `NAME=value` lines, comments, quotes. Nothing is expanded."""

import re
from pathlib import Path
from typing import Final

from perles.domain.errors import UsageError
from perles.domain.patterns import lazy_pattern
from perles.workspace import door

MAX_BYTES: Final = 64 * 1024
_LINE: Final = lazy_pattern(r"(?:export\s+)?([A-Za-z_][A-Za-z0-9_]*)\s*=\s*(.*)")
_SINGLE: Final = lazy_pattern(r"'([^']*)'\s*(?:#.*)?")
_DOUBLE: Final = lazy_pattern(r'"((?:[^"\\]|\\.)*)"\s*(?:#.*)?')
_COMMENT: Final = lazy_pattern(r"(?:^|\s)#.*")
_ESCAPES: Final = {"n": "\n", "r": "\r", "t": "\t"}


def read_dotenv(path: Path) -> dict[str, str]:
    """The variables of a file. Raises `UsageError` that names it, and the line that is wrong."""
    try:
        content = door.read_small(path, MAX_BYTES + 1, foreign=True)
    except FileNotFoundError:
        raise UsageError(f"there is no file {path}; make it, or correct the name") from None
    except OSError as error:
        raise UsageError(f"cannot read {path}: {error.strerror}") from None
    if len(content) > MAX_BYTES:
        raise UsageError(f"cannot use {path}: it is over 64 KiB; a file of variables is small")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise UsageError(f"cannot use {path}: it is not UTF-8; save it as UTF-8") from None
    found = {}
    for number, line in enumerate(text.split("\n"), 1):
        stripped = line.strip()
        if not stripped or stripped.startswith("#"):
            continue
        match = _LINE.fullmatch(stripped)
        value = None if match is None else _value(match.group(2))
        if match is None or value is None or "\0" in value:
            raise UsageError(f"cannot use {path}:{number}: it is not NAME=value; correct the line")
        found[match.group(1)] = value
    return found


def _value(raw: str) -> str | None:
    """What stands behind `=`; None where a quote is not closed."""
    single, double = _SINGLE.fullmatch(raw), _DOUBLE.fullmatch(raw)
    if single is not None:
        return single.group(1)
    if double is not None:
        return re.sub(r"\\(.)", lambda m: _ESCAPES.get(m.group(1), m.group(1)), double.group(1))
    return None if raw[:1] in ("'", '"') else _COMMENT.sub("", raw).strip()
