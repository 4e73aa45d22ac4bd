"""Ids of workflows."""

import os
from typing import Final

_LETTERS: Final = "abcdefghijklmnopqrstuvwxyz23456789"
_LENGTH: Final = 8
_EVEN: Final = 256 - 256 % len(_LETTERS)
"""Bytes from here on would make the first letters likelier than the others."""


def new_id() -> str:
    """An id for a workflow that is created."""
    found = ""
    while len(found) < _LENGTH:
        # The module `secrets` does the same, and imports OpenSSL.
        found += "".join(_LETTERS[one % len(_LETTERS)] for one in os.urandom(16) if one < _EVEN)
    return f"wf-{found[:_LENGTH]}"
