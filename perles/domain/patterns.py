"""Regular expressions that are compiled when they are used first.

Compiling one takes up to some milliseconds; a command imports a hundred and uses few. To a type
checker it is what `re.compile` makes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

__all__ = ["LazyPattern", "lazy_pattern"]

if TYPE_CHECKING:
    from re import compile as lazy_pattern
else:

    def lazy_pattern(text: str | bytes, flags: int = 0) -> LazyPattern:
        """The pattern that `re.compile` makes of the same arguments, made at first use."""
        return LazyPattern(text, flags)


_METHODS: Final = (
    *("search", "match", "fullmatch", "split", "findall", "finditer", "sub", "subn"),
    *("flags", "groups", "groupindex"),
)


class LazyPattern:
    """Has the methods of a pattern; the first one that is asked for compiles it."""

    def __init__(self, text: str | bytes, flags: int) -> None:
        self.pattern = text
        self._flags = flags

    def __getattr__(self, name: str) -> Any:
        if name not in _METHODS:
            raise AttributeError(name)
        import re

        compiled = re.compile(self.pattern, self._flags)
        # All at once, so that the next use finds its method without coming here.
        self.__dict__.update((method, getattr(compiled, method)) for method in _METHODS)
        return getattr(compiled, name)
