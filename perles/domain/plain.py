"""Is it text, or a number, that a database takes? Names and arguments may be any bytes."""

import unicodedata
from typing import Final

LARGEST: Final = 2**63 - 1
"""What SQLite's integers end at."""


def is_text(word: str) -> bool:
    """Whether the word is text that a database and JSON take: no bytes that are not UTF-8."""
    try:
        word.encode()
    except UnicodeEncodeError:
        return False
    return True


def is_one_line(text: str) -> bool:
    """Whether a text holds no control character, no end of a line, and no half of a letter.

    Joiners and wide spaces belong to names in many languages.
    """
    return all(unicodedata.category(letter) not in ("Cc", "Cs", "Zl", "Zp") for letter in text)
