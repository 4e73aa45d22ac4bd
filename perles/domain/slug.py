"""A name as it can stand in the name of a file or branch."""

import unicodedata
from typing import Final

from perles.domain.patterns import lazy_pattern

MAX_SLUG: Final = 60
_OTHER: Final = lazy_pattern(r"[^a-z0-9]+")


def slug(text: str, fallback: str = "") -> str:
    """Small letters and digits, with single `-` between; `fallback` where none is left.

    At most 60 characters, cut between words where that leaves enough.
    """
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode().lower()
    found = _OTHER.sub("-", plain).strip("-")
    if len(found) > MAX_SLUG:
        cut = found[: MAX_SLUG + 1].rpartition("-")[0]
        found = cut if len(cut) > MAX_SLUG // 2 else found[:MAX_SLUG]
    return found.strip("-") or fallback
