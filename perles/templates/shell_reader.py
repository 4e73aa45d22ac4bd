"""Reading a shell script letter by letter, and writing it anew with references in it."""

from typing import Final, NamedTuple

OUTPUT: Final = "PERLES_OUTPUT_"
WORD: Final = "PERLES_WORD_"
"""The same text, where it is a plain word that shells read as itself; unset where it is not."""
PLAIN: Final = "PERLES_PLAIN_"
"""The same text, where it is but letters, digits, `.`, `_` and `-`; unset where it is not."""

_NOT_PLAIN: Final = "its text is not one plain word, and would be read as code here"


class UnsafeError(Exception):
    """No reference to a variable does what is meant at a place; the text says why."""


class Place(NamedTuple):
    """Where a value belongs: from `start` to `end` of the script, and what its variable is."""

    start: int
    end: int
    name: str


class Reader:
    """A script, how far it was read, and what was written for that."""

    def __init__(self, text: str, places: dict[int, Place]) -> None:
        self.text = text
        self.places = places
        self.out: list[str] = []
        self.pos = 0
        self.end = len(text)

    def copy(self, count: int) -> str:
        """Copy this many letters unchanged, and return them. Raises `UnsafeError`."""
        if count == 2 and self.pos + 1 in self.places:
            raise UnsafeError("it stands after a backslash; take that away")
        piece = self.text[self.pos : min(self.pos + count, self.end)]
        self.out.append(piece)
        self.pos += len(piece)
        return piece

    def find(self, letter: str) -> int:
        """Where the next such letter is, or the end."""
        found = self.text.find(letter, self.pos, self.end)
        return self.end if found < 0 else found

    def sees(self, *beginnings: str) -> bool:
        """Whether one of these comes next."""
        return self.text.startswith(beginnings, self.pos)

    def has_place(self, closing: int) -> bool:
        """Whether there is a place from here to there."""
        return any(self.pos <= start < closing for start in self.places)


def guarded(prefix: str, name: str) -> str:
    """A reference that stops the script where the variable is not set."""
    return f"${{{prefix}{name}?{_NOT_PLAIN}}}"
