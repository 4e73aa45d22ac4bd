"""Which names a few typed letters may mean, and how well."""

from __future__ import annotations

from typing import Final

MOST: Final = 60
"""Letters that are looked at of what is typed."""
LONGEST: Final = 200
"""Letters that are looked at of a name."""
_STARTS, _WORD, _INSIDE, _SCATTERED = range(4)


def rank(wanted: str, name: str) -> tuple[int, int] | None:
    """How well a name fits, the lower the better; None for one that does not have the letters.

    Names that begin with the letters come first, then those with a word that does, then
    names with the letters side by side, then names with them in order; shorter ones before
    longer ones.
    """
    letters = "".join(wanted[:MOST].split()).casefold()
    text = name[:LONGEST].casefold()
    at = text.find(letters)
    if at == 0:
        return _STARTS, len(text)
    if at > 0:
        return (_INSIDE if text[at - 1].isalnum() else _WORD), len(text)
    rest = iter(text)
    if all(letter in rest for letter in letters):
        return _SCATTERED, len(text)
    return None


def like(wanted: str) -> str:
    r"""A pattern of SQL's LIKE, with `\` as its escape, that what `rank` finds fits.

    Other letters than those of ASCII are left to `rank`: LIKE tells their cases apart.
    """
    letters = [one for one in wanted[:MOST] if one.isascii() and not one.isspace()]
    return "%" + "".join(f"\\{one}%" if one in "%_\\" else f"{one}%" for one in letters)
