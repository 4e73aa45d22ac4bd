"""Jinja2 with bounds: no text of a template keeps us busy, or fills the memory.

Loops and calls are counted, however they are nested; what makes a long text out of a short
one is looked at before or right after it is done.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from functools import wraps
from typing import Any, Final, cast

from jinja2 import StrictUndefined, nodes
from jinja2.runtime import Context
from jinja2.sandbox import SandboxedEnvironment

MAX_STEPS: Final = 200_000
"""Passes of loops, and calls, in one text."""
MAX_SECONDS: Final = 10.0
MAX_LENGTH: Final = 1024 * 1024
"""Characters of a text, or items of a list, that a template makes."""
_MAX_BITS: Final = 4096
_SIZED: Final = frozenset(
    {"center", "ljust", "rjust", "zfill", "expandtabs", "indent", "wordwrap", "batch", "slice"}
    | {"do_indent", "generate_lorem_ipsum"}
)
_FORMATS: Final = frozenset({"format", "format_map"})
_COUNTED: Final = "perles_counted"
_BOUNDED: Final = "perles_bounded"


class BoundsError(ValueError):
    """A template does too much."""


class BoundedEnvironment(SandboxedEnvironment):
    """Renders one text; what it may do in all is counted here."""

    intercepted_binops = frozenset({"*", "**", "%", "+"})

    def __init__(self, *, shown: Callable[[Any], Any] = lambda value: value) -> None:
        """`shown` makes what is printed of a value."""
        super().__init__(
            undefined=StrictUndefined,
            keep_trailing_newline=True,
            finalize=lambda value: shown(_bounded(value)),
        )
        self._steps = 0
        self._ends = time.monotonic() + MAX_SECONDS
        self.filters = {name: self._watched(name, made) for name, made in self.filters.items()}
        self.filters[_COUNTED] = self._counted
        self.filters[_BOUNDED] = _bounded

    def render(self, text: str, values: dict[str, Any]) -> str:
        """The text filled in. Raises `BoundsError`, and what Jinja2 raises."""
        pieces, length = [], 0
        for piece in self.from_string(self._instrumented(text)).generate(values):
            length += len(piece)
            if length > MAX_LENGTH:
                raise BoundsError("the result is over 1 MiB")
            self._step()
            pieces.append(piece)
        return "".join(pieces)

    def call(__self, __context: Context, __obj: Any, *args: Any, **kwargs: Any) -> Any:  # noqa: N805
        """A call: of a macro, a method, a function."""
        __self._step()
        name = getattr(__obj, "__name__", "")
        form = getattr(getattr(__obj, "__wrapped__", __obj), "__self__", None)
        _check_call(name, (form, *args, *kwargs.values()))
        return _bounded(super().call(__context, __obj, *args, **kwargs))

    def call_binop(self, context: Context, operator: str, left: Any, right: Any) -> Any:
        """An operation that can make much out of little."""
        self._step()
        if operator == "*":
            _check_product(left, right)
            _check_product(right, left)
        elif operator == "**" and isinstance(left, int) and isinstance(right, int):
            if abs(left).bit_length() * abs(right) > _MAX_BITS:
                raise BoundsError("a power is too large")
        elif operator == "%" and isinstance(left, str):
            _check_widths(left)
        return _bounded(super().call_binop(context, operator, left, right))

    def _instrumented(self, text: str) -> nodes.Template:
        """The parsed text, with its loops counted and its joined texts bounded."""
        tree = self.parse(text)
        for loop in tree.find_all(nodes.For):
            loop.iter = _filter(_COUNTED, loop.iter)
        return _with_bounds(tree)

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise BoundsError(f"it takes more than {MAX_STEPS} steps; use fewer or shorter loops")
        if self._steps % 256 == 0 and time.monotonic() > self._ends:
            raise BoundsError(f"it takes longer than {MAX_SECONDS:.0f} s")

    def _counted(self, items: Iterable[Any]) -> Iterator[Any]:
        for item in items:
            self._step()
            yield item

    def _watched(self, name: str, made: Callable[..., Any]) -> Callable[..., Any]:
        """A filter whose numbers and result are bounded."""

        @wraps(made)
        def watched(*args: Any, **kwargs: Any) -> Any:
            self._step()
            _check_call(name, (*args, *kwargs.values()))
            return _bounded(made(*args, **kwargs))

        return watched


def _filter(name: str, of: nodes.Node) -> nodes.Filter:
    return nodes.Filter(cast(nodes.Expr, of), name, [], [], None, None, lineno=of.lineno)


def _with_bounds(tree: nodes.Template) -> nodes.Template:
    """`a ~ b` is no operation that the sandbox sees: each part of it is bounded instead."""
    for joined in tree.find_all(nodes.Concat):
        joined.nodes = [_filter(_BOUNDED, part) for part in joined.nodes]
    return tree


def _bounded(value: Any) -> Any:
    if isinstance(value, str | bytes | list | tuple | dict | set) and _size(value) > MAX_LENGTH:
        raise BoundsError("a text or a list in it is over 1 MiB")
    if isinstance(value, int) and value.bit_length() > _MAX_BITS:
        raise BoundsError("a number in it is too large")
    return value


def _size(value: Any) -> int:
    """Letters and items, those of lists in lists among them; no further than the bound."""
    size, waiting = 0, [value]
    while waiting and size <= MAX_LENGTH:
        found = waiting.pop()
        if isinstance(found, str | bytes):
            size += len(found)
        elif isinstance(found, list | tuple | dict | set):
            size += len(found)
            waiting += found
            waiting += found.values() if isinstance(found, dict) else ()
    return size


def _check_product(of: Any, times: Any) -> None:
    is_list = isinstance(of, str | bytes | list | tuple)
    if is_list and isinstance(times, int) and len(of) * times > MAX_LENGTH:
        raise BoundsError("a text or a list in it is over 1 MiB")


def _check_call(name: str, args: Iterable[Any]) -> None:
    """Look at the numbers given to what pads or repeats, and at the widths in a format."""
    for value in args:
        if name in _SIZED and isinstance(value, int) and abs(value) > MAX_LENGTH:
            raise BoundsError(f"a number given to {name} is over {MAX_LENGTH}")
        if name in _FORMATS and isinstance(value, str):
            _check_widths(value)


def _check_widths(form: str) -> None:
    """Widths in what may be a format: `%1000000000d`, `{:>1000000000}`."""
    digits = 0
    for letter in form:
        digits = digits + 1 if letter.isdigit() else 0
        if digits > 6:
            raise BoundsError("a width in it is too large")
