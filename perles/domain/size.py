"""Sizes as people write them: `1GiB`, `512MiB`, or a number of bytes."""

import re
from typing import Final

from perles.domain.errors import UsageError
from perles.domain.patterns import lazy_pattern

_UNITS: Final = {"": 1, "B": 1, "KiB": 2**10, "MiB": 2**20, "GiB": 2**30, "TiB": 2**40}
_UNITS_OF_TEN: Final = {"KB": 10**3, "MB": 10**6, "GB": 10**9, "TB": 10**12}
_FORM: Final = lazy_pattern(r"(\d+) ?([KMGT]i?B|B|)", re.ASCII)


def parse_size(text: str) -> int:
    """Bytes. Raises `UsageError` that shows the right form."""
    found = _FORM.fullmatch(text)
    if found is None:
        raise UsageError(f"{text!r} is no size; write it like 1GiB, 512MiB or 100000")
    return int(found[1]) * (_UNITS | _UNITS_OF_TEN)[found[2]]


def format_size(size: int) -> str:
    """`512 B`, `1.5 MiB`: a size for people."""
    unit = next((u for u in ("TiB", "GiB", "MiB", "KiB") if size >= _UNITS[u]), "B")
    return f"{size} B" if unit == "B" else f"{size / _UNITS[unit]:.1f} {unit}"
