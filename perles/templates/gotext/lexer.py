"""Texts in the syntax of Go's text/template, cut into pieces of text and tokens of actions."""

import re
from collections.abc import Iterator
from typing import Final, NamedTuple

from perles.domain.patterns import lazy_pattern
from perles.domain.records import dataclass
from perles.templates.gotext.tree import Text

_STRING: Final = lazy_pattern(r'"(?:[^"\\\n]|\\.)*"')
_RAW: Final = lazy_pattern(r"`[^`]*`")
_CHARACTER: Final = lazy_pattern(r"'(?:[^'\\\n]|\\[^\n]+?)'")
_NUMBER: Final = lazy_pattern(
    r"[+-]?(?:0[xX][0-9a-fA-F_]+|[0-9][0-9_]*(?:\.[0-9]+)?(?:e[+-]?\d+)?)"
)
_FIELD: Final = lazy_pattern(r"\.[^\W\d]\w*")
_VARIABLE: Final = lazy_pattern(r"\$\w*")
_WORD: Final = lazy_pattern(r"[^\W\d]\w*")
_SIGN: Final = lazy_pattern(r":=|[.=,|()]")
_SPACES: Final = " \t\r\n"
_COMMENT: Final = lazy_pattern(r"\{\{(-[ \t\r\n]+)?/\*.*?\*/([ \t\r\n]+-)?\}\}", re.DOTALL)
_ESCAPES: Final = {
    **{"n": "\n", "t": "\t", "r": "\r", "a": "\a", "b": "\b", "f": "\f", "v": "\v"},
    **{"\\": "\\", '"': '"', "'": "'"},
}
_ESCAPE: Final = lazy_pattern(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|(.))"
)


class GoTextError(ValueError):
    """A text that cannot be understood or filled in, with its line and what to write instead."""

    def __init__(self, line: int, problem: str, instead: str = "") -> None:
        super().__init__(problem)
        self.line = line
        self.problem = problem
        self.instead = instead


class Token(NamedTuple):
    """Of an action: its kind (field, variable, word, text, number, sign), and its text.

    `spaced` tells whether white space is before it.
    """

    kind: str
    text: str
    line: int
    spaced: bool


@dataclass(frozen=True, slots=True)
class Action:
    """What stands between `{{` and `}}`."""

    tokens: tuple[Token, ...]
    line: int
    source: str


def split(text: str) -> Iterator[Text | Action]:
    """The pieces and actions of a text, white space trimmed as `{{-` and `-}}` say.

    Raises `GoTextError`.
    """
    at, line, trims = 0, 1, False
    while True:
        opened = text.find("{{", at)
        piece = text[at:] if opened < 0 else text[at:opened]
        line += piece.count("\n")
        shown = piece.lstrip(_SPACES) if trims else piece
        if opened < 0:
            yield Text(shown)
            return
        if _trims_before(text, opened):
            shown = shown.rstrip(_SPACES)
        yield Text(shown)
        comment = _COMMENT.match(text, opened)
        end = comment.end() if comment else _end_of_action(text, opened, line)
        source = text[opened:end]
        trims = _trims_after(source)
        if comment is None:
            yield Action(tuple(_tokens(source, line)), line, source)
        line += source.count("\n")
        at = end


def _trims_before(text: str, opened: int) -> bool:
    return text.startswith("{{-", opened) and text[opened + 3 : opened + 4] in _SPACES


def _trims_after(source: str) -> bool:
    return source.endswith("-}}") and source[-4] in _SPACES


def _end_of_action(text: str, opened: int, line: int) -> int:
    """The place after the `}}` of an action; one in a text between quotes is not it."""
    at = opened + 2
    if text.startswith(("/*", "- /*"), at):
        raise GoTextError(line, "unclosed comment", "end it with */}}, without a space between")
    while at < len(text):
        if text.startswith("}}", at):
            return at + 2
        quoted = None
        if text[at] in "\"`'":
            for form in (_STRING, _RAW, _CHARACTER):
                quoted = quoted or form.match(text, at)
            if quoted is None:
                raise GoTextError(line, "unterminated quoted text", "close the quote")
        at = quoted.end() if quoted else at + 1
    raise GoTextError(line, "unclosed action", "end it with }}")


def _tokens(source: str, line: int) -> Iterator[Token]:
    inner = source[2:-2]
    if inner[:1] == "-" and inner[1:2] in _SPACES:
        inner = " " + inner[1:]
    if inner[-1:] == "-" and inner[-2:-1] in _SPACES:
        inner = inner[:-1]
    at, spaced = 0, True
    while at < len(inner):
        if inner[at] in _SPACES:
            at, spaced = at + 1, True
            continue
        here = line + inner.count("\n", 0, at)
        kind, found = _token(inner, at, here)
        yield Token(kind, _meaning(kind, found, here), here, spaced)
        at, spaced = at + len(found), False


def _token(inner: str, at: int, line: int) -> tuple[str, str]:
    forms = (
        ("text", _STRING),
        ("raw", _RAW),
        ("character", _CHARACTER),
        ("field", _FIELD),
        ("variable", _VARIABLE),
        ("number", _NUMBER),
        ("word", _WORD),
        ("sign", _SIGN),
    )
    for kind, form in forms:
        found = form.match(inner, at)
        if found is not None:
            return kind, found.group()
    raise GoTextError(
        line,
        f"bad character U+{ord(inner[at]):04X} {inner[at]!r} in {inner.strip()[:60]!r}",
        'a key with - is read by {{index .Args "my-key"}}' if inner[at] == "-" else "",
    )


def _meaning(kind: str, found: str, line: int) -> str:
    if kind == "raw":
        return found[1:-1].replace("\r", "")
    return _unescaped(found[1:-1], line) if kind in ("text", "character") else found


def _unescaped(text: str, line: int) -> str:
    def letter(match: re.Match[str]) -> str:
        digits = next((group for group in match.groups()[:3] if group), None)
        if digits is not None:
            number = int(digits, 16)
        elif match.group(4):
            number = int(match.group(4), 8)
        elif match.group(5) in _ESCAPES:
            return _ESCAPES[match.group(5)]
        else:
            raise GoTextError(line, f"bad escape {match.group()!r} in a quoted text")
        if number > 0x10FFFF or 0xD800 <= number <= 0xDFFF:
            raise GoTextError(line, f"bad escape {match.group()!r} in a quoted text")
        return chr(number)

    return _ESCAPE.sub(letter, text)
