"""Patterns that are looked for in lines of a program's output, in time that grows with the line.

A subset of regular expressions: letters, `.`, classes as `[a-z]` and `\\d \\w \\s`, groups, `|`,
`* + ? {2,5}`, `^`, `$`, and `(?i)` at the beginning. All ways to match are followed side by side
(Thompson's automaton), so no line and no pattern makes it try again and again; what cannot be
matched so (back references, looking around) is refused.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from perles.domain.errors import UsageError

MAX_PATTERN: Final = 500
MAX_STATES: Final = 1_000
MAX_COUNT: Final = 100
MAX_DEPTH: Final = 50
MAX_LINE: Final = 2_000
"""Characters of a line that are looked at."""

Matches = Callable[[str], bool]
_CLASSES: Final[dict[str, Matches]] = {
    "d": str.isdecimal,
    "w": lambda one: one.isalnum() or one == "_",
    "s": str.isspace,
}
_ESCAPES: Final = {"t": "\t", "n": "\n", "r": "\r", "f": "\f", "v": "\v"}
_SPECIAL: Final = "\\.^$*+?{}[]()|"


class _State:
    """A place in the automaton: it takes a character, or leads on without one."""

    __slots__ = ("end", "matches", "next", "start")

    def __init__(self, matches: Matches | None = None) -> None:
        self.matches = matches
        self.next: list[_State] = []
        self.start = self.end = False
        """Whether it leads on only at the start, or only at the end, of a line."""


_Piece = tuple[_State, _State]


class LinePattern:
    """A pattern, ready to be looked for. Raises `UsageError` where it is none."""

    def __init__(self, text: str) -> None:
        if not text or len(text) > MAX_PATTERN:
            raise UsageError(f"must have 1 to {MAX_PATTERN} characters")
        self._any_case = text.startswith("(?i)")
        reader = _Reader(text.removeprefix("(?i)"), any_case=self._any_case)
        self._first, self._last = reader.whole()

    def found_in(self, line: str) -> bool:
        """Whether it matches somewhere in a line; only the first `MAX_LINE` characters count."""
        ends = len(line) if len(line) <= MAX_LINE else -1  # where $ matches
        line = line[:MAX_LINE]
        if self._any_case:
            line = line.casefold()
        current: dict[_State, None] = {}
        for at in range(len(line) + 1):
            self._follow(self._first, current, at == 0, at == ends)
            if self._last in current:
                return True
            if at == len(line):
                return False
            taken: dict[_State, None] = {}
            for state in current:
                if state.matches is not None and state.matches(line[at]):
                    for one in state.next:
                        self._follow(one, taken, False, at + 1 == ends)
            if self._last in taken:
                return True
            current = taken
        return False

    @staticmethod
    def _follow(state: _State, into: dict[_State, None], at_start: bool, at_end: bool) -> None:
        """Add a state, and all to which it leads without a character."""
        waiting = [state]
        while waiting:
            one = waiting.pop()
            if one in into or (one.start and not at_start) or (one.end and not at_end):
                continue
            into[one] = None
            if one.matches is None:
                waiting += one.next


class _Reader:
    """Makes the automaton of a text."""

    def __init__(self, text: str, *, any_case: bool) -> None:
        self._text, self._at, self._any_case = text, 0, any_case
        self._states = self._depth = 0

    def whole(self) -> _Piece:
        piece = self._branches()
        if self._at < len(self._text):
            raise UsageError(f"has a ) without ( at character {self._at + 1}")
        return piece

    def _peek(self) -> str:
        return self._text[self._at : self._at + 1]

    def _take(self) -> str:
        found = self._peek()
        if not found:
            raise UsageError("ends too early")
        self._at += 1
        return found

    def _state(self, matches: Matches | None = None) -> _State:
        self._states += 1
        if self._states > MAX_STATES:
            raise UsageError("is too long, with its repetitions written out")
        return _State(matches)

    def _one(self, matches: Matches) -> _Piece:
        first, last = self._state(matches), self._state()
        first.next.append(last)
        return first, last

    def _branches(self) -> _Piece:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise UsageError(f"has groups more than {MAX_DEPTH} deep")
        pieces = [self._sequence()]
        while self._peek() == "|":
            self._at += 1
            pieces.append(self._sequence())
        self._depth -= 1
        first, last = self._state(), self._state()
        for begin, end in pieces:
            first.next.append(begin)
            end.next.append(last)
        return first, last

    def _sequence(self) -> _Piece:
        first = last = self._state()
        while self._peek() not in ("", "|", ")"):
            begin, end = self._repeated()
            last.next.append(begin)
            last = end
        return first, last

    def _repeated(self) -> _Piece:
        begun, mark = self._at, self._peek()
        piece = self._atom()
        low, high = self._count()
        if (low, high) == (1, 1):
            return piece
        if mark in ("^", "$"):
            raise UsageError(f"repeats a {mark}")
        if self._peek() in ("*", "+", "{"):
            raise UsageError(f"repeats a repetition at character {self._at + 1}")
        if self._peek() == "?":
            self._at += 1  # as few as can be: whether it matches is the same
        return self._copies(begun, piece, low, high)

    def _copies(self, begun: int, piece: _Piece, low: int, high: int | None) -> _Piece:
        """The piece that begins there, `low` to `high` times; None for any number."""
        ended = self._at
        first = last = self._state()
        over = self._state()
        for number in range(max(low, 1) if high is None else high):
            if number:
                self._at = begun
                piece = self._atom()
            if number >= low:
                last.next.append(over)
            last.next.append(piece[0])
            last = piece[1]
        if high is None:
            last.next.append(piece[0])
        last.next.append(over)
        self._at = ended
        return first, over

    def _count(self) -> tuple[int, int | None]:
        mark = self._peek()
        if mark in ("*", "+", "?"):
            self._at += 1
            return {"*": (0, None), "+": (1, None), "?": (0, 1)}[mark]
        if mark != "{":
            return 1, 1
        end = self._text.find("}", self._at)
        low, comma, high = self._text[self._at + 1 : end].partition(",")
        numbers = [part for part in (low, high) if part]
        if end < 0 or not low or not all(part.isdecimal() and len(part) < 5 for part in numbers):
            raise UsageError(f"has a {{ that is no number at character {self._at + 1}; write \\{{")
        most = None if comma and not high else int(high or low)
        if int(low) > MAX_COUNT or (most is not None and not int(low) <= most <= MAX_COUNT):
            raise UsageError(f"may repeat at most {MAX_COUNT} times, the smaller number first")
        if most == 0:
            raise UsageError("repeats nothing")
        self._at = end + 1
        return int(low), most

    def _atom(self) -> _Piece:
        one = self._take()
        if one == "(":
            return self._group()
        if one == "[":
            return self._one(self._class())
        if one == ".":
            return self._one(lambda _: True)
        if one in ("^", "$"):
            state = self._state()
            state.start, state.end = one == "^", one == "$"
            return state, state
        if one == "\\":
            return self._one(self._escape())
        if one in "*+?{)":
            raise UsageError(f"repeats nothing at character {self._at}; write \\{one}")
        return self._one(self._equals(one))

    def _group(self) -> _Piece:
        if self._peek() == "?":
            if self._text[self._at : self._at + 2] != "?:":
                raise UsageError("has a (? that is not (?: or, at its beginning, (?i)")
            self._at += 2
        piece = self._branches()
        if self._peek() != ")":
            raise UsageError("has a ( without )")
        self._at += 1
        return piece

    def _equals(self, one: str) -> Matches:
        wanted = one.casefold() if self._any_case else one
        return wanted.__eq__

    def _escape(self) -> Matches:
        one = self._take()
        if one.lower() in _CLASSES:
            matches = _CLASSES[one.lower()]
            return matches if one.islower() else (lambda found: not matches(found))
        if one.isalnum() and one not in _ESCAPES:
            raise UsageError(f"has \\{one}, which means nothing here")
        return self._equals(_ESCAPES.get(one, one))

    def _class(self) -> Matches:
        is_not = self._peek() == "^"
        self._at += is_not
        parts: list[Matches] = []
        while self._peek() != "]" or not parts:
            parts.append(self._part_of_class())
        self._at += 1
        return lambda found: any(part(found) for part in parts) != is_not

    def _part_of_class(self) -> Matches:
        low = self._take()
        if low == "\\":
            return self._escape()
        if self._peek() != "-" or self._text[self._at + 1 : self._at + 2] in ("", "]"):
            return self._equals(low)
        self._at += 1
        high = self._take()
        if high == "\\" or high < low:
            raise UsageError(f"has {low}-{high}, which is no range")
        if self._any_case:
            return lambda found: low <= found <= high or low <= found.upper() <= high
        return lambda found: low <= found <= high
