"""Guessing what a mistyped word meant.

`difflib` is imported when there is something to guess: every command imports this.
"""

from collections.abc import Iterable, Sequence


def nearest(given: str, known: Iterable[str]) -> str:
    """` (did you mean 'x'?)` for the known word nearest to `given`, or nothing."""
    from difflib import get_close_matches

    return did_you_mean(get_close_matches(given, list(known), n=1, cutoff=0.6))


def alike(given: str, known: Iterable[str], count: int, cutoff: float = 0.6) -> list[str]:
    """The known words most like `given`, whatever their case; the nearest first."""
    from difflib import get_close_matches

    words: dict[str, str] = {}
    for word in known:
        words.setdefault(word.lower(), word)
    return [words[close] for close in get_close_matches(given.lower(), words, count, cutoff)]


def did_you_mean(words: Sequence[str]) -> str:
    """` (did you mean 'a', 'b' or 'c'?)`, or nothing where there are no words."""
    if not words:
        return ""
    *others, last = map(repr, words)
    return f" (did you mean {', '.join(others)}{' or ' if others else ''}{last}?)"
