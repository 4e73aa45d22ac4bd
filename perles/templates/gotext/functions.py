"""The functions of Go's text/template; there are no others in texts of this syntax."""

import html
import re
from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final
from urllib.parse import quote_plus

from perles.domain.patterns import lazy_pattern
from perles.templates.gotext.values import (
    MAX_LENGTH,
    NO_VALUE,
    formatted,
    is_true,
    kind_of,
    short_kind,
)

MAX_WIDTH: Final = 1000
"""Of a verb of printf."""
_VERB: Final = lazy_pattern(r"%([-+# 0]*)(\d*)(?:\.(\d*))?(.)", re.DOTALL)
_JS: Final = {
    **{"\\": "\\\\", "'": "\\'", '"': '\\"', "<": "\\u003C", ">": "\\u003E"},
    **{"&": "\\u0026", "=": "\\u003D"},
}


class FunctionError(ValueError):
    """A function was given what it cannot take."""


def _not(value: Any) -> bool:
    return not is_true(value)


def _len(value: Any) -> int:
    if isinstance(value, str):
        return len(value.encode())
    if isinstance(value, Mapping | list | tuple):
        return len(value)
    raise FunctionError(f"len of type {short_kind(value)}")


def _index(of: Any, *keys: Any) -> Any:
    for key in keys:
        if isinstance(of, Mapping):
            of = of.get(key, "")
        elif isinstance(of, list | tuple | str) and kind_of(key) == "int":
            if not 0 <= key < len(of):
                raise FunctionError(f"index out of range: {key}")
            of = of[key]
        else:
            raise FunctionError(f"can't index item of type {short_kind(of)}")
    return of


def _slice(of: Any, *ends: Any) -> Any:
    if not isinstance(of, list | tuple | str) or len(ends) > 2:
        raise FunctionError(f"can't slice item of type {short_kind(of)}")
    low = ends[0] if ends else 0
    high = ends[1] if len(ends) > 1 else len(of)
    if not (kind_of(low) == kind_of(high) == "int" and 0 <= low <= high <= len(of)):
        raise FunctionError("index out of range in slice")
    return of[low:high]


def _print(*values: Any) -> str:
    found = ""
    for number, value in enumerate(values):
        both = number and not isinstance(value, str) and not isinstance(values[number - 1], str)
        found += (" " if both else "") + formatted(value)
    return found


def _println(*values: Any) -> str:
    return " ".join(map(formatted, values)) + "\n"


def _printf(form: Any, *values: Any) -> str:
    if not isinstance(form, str):
        raise FunctionError("printf needs a format in quotes first")
    left = list(values)

    def one(match: re.Match[str]) -> str:
        flags, width, precision, verb = match.groups()
        if verb == "%":
            return "%"
        if int(width or 0) > MAX_WIDTH or int(precision or 0) > MAX_WIDTH:
            raise FunctionError(f"a width of printf is over {MAX_WIDTH}")
        if not left:
            return f"%!{verb}(MISSING)"
        text = _verb(verb, left.pop(0), precision)
        return text.ljust(int(width or 0)) if "-" in flags else _padded(text, flags, width)

    found = _VERB.sub(one, form)
    if left:
        extra = ", ".join(f"{short_kind(value)}={formatted(value)}" for value in left)
        found += f"%!(EXTRA {extra})"
    return found


def _padded(text: str, flags: str, width: str) -> str:
    return text.zfill(int(width or 0)) if "0" in flags else text.rjust(int(width or 0))


def _verb(verb: str, value: Any, precision: str | None) -> str:
    kind = kind_of(value)
    if verb in "sv":
        text = formatted(value)
        return text if precision is None or verb == "v" else text[: int(precision or 0)]
    if verb == "q" and kind == "string":
        return '"' + str(value).replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n") + '"'
    if verb == "t" and kind == "bool":
        return formatted(value)
    if verb in "dxX" and kind == "int":
        return format(value, verb)
    if verb == "f" and kind == "float":
        return format(value, f".{precision or 6}f")
    if verb in "xX" and kind == "string":
        found = value.encode().hex()
        return str(found.upper() if verb == "X" else found)
    return f"%!{verb}({short_kind(value)}={formatted(value)})"


def _html(*values: Any) -> str:
    escaped = html.escape(_print(*values), quote=True).replace("&#x27;", "&#39;")
    return escaped.replace("&quot;", "&#34;").replace("\0", "\ufffd")


def _js(*values: Any) -> str:
    def letter(one: str) -> str:
        return _JS.get(one) or (f"\\u{ord(one):04X}" if ord(one) < 0x20 else one)

    return "".join(map(letter, _print(*values)))


def _urlquery(*values: Any) -> str:
    return quote_plus(_print(*values))


def _eq(first: Any, *others: Any) -> bool:
    if not others:
        raise FunctionError("missing argument for comparison")
    return any(_same(first, other) for other in others)


def _same(one: Any, other: Any) -> bool:
    if one in (None, NO_VALUE) or other in (None, NO_VALUE):
        return one is None and other is None
    _check_comparable(one, other)
    return bool(one == other)


def _check_comparable(one: Any, other: Any) -> None:
    kinds = kind_of(one), kind_of(other)
    if "" in kinds:
        raise FunctionError("invalid type for comparison")
    if kinds[0] != kinds[1]:
        raise FunctionError("incompatible types for comparison")


def _ne(one: Any, other: Any) -> bool:
    return not _same(one, other)


def _lt(one: Any, other: Any) -> bool:
    if isinstance(one, bool):
        raise FunctionError("invalid type for comparison")
    _check_comparable(one, other)
    return bool(one < other)


def _le(one: Any, other: Any) -> bool:
    return _lt(one, other) or _same(one, other)


def _gt(one: Any, other: Any) -> bool:
    return not _le(one, other)


def _ge(one: Any, other: Any) -> bool:
    return not _lt(one, other)


def _call(*_: Any) -> Any:
    raise FunctionError("there is nothing to call")


_FUNCTIONS: Final[Mapping[str, tuple[Callable[..., Any], int, int | None]]] = {
    "not": (_not, 1, 1),
    "len": (_len, 1, 1),
    "index": (_index, 1, None),
    "slice": (_slice, 1, 3),
    "print": (_print, 0, None),
    "printf": (_printf, 1, None),
    "println": (_println, 0, None),
    "html": (_html, 0, None),
    "js": (_js, 0, None),
    "urlquery": (_urlquery, 0, None),
    "eq": (_eq, 1, None),
    "ne": (_ne, 2, 2),
    "lt": (_lt, 2, 2),
    "le": (_le, 2, 2),
    "gt": (_gt, 2, 2),
    "ge": (_ge, 2, 2),
    "call": (_call, 1, None),
}
NAMES: Final = frozenset({"and", "or", *_FUNCTIONS})
"""`and` and `or` look at no more values than they need, so they are not here."""


def called(name: str, values: Sequence[Any]) -> Any:
    """What a function makes of values. Raises `FunctionError`."""
    function, low, high = _FUNCTIONS[name]
    if len(values) < low or (high is not None and len(values) > high):
        wanted = str(low) if high == low else f"at least {low}"
        raise FunctionError(f"wrong number of args for {name}: want {wanted} got {len(values)}")
    found = function(*values)
    if isinstance(found, str) and len(found) > MAX_LENGTH:
        raise FunctionError("a text in it is over 1 MiB")
    return found
