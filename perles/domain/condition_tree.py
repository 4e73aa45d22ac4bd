"""What a condition is made of, and what it comes to: constants, names, operators, functions."""

import re
from collections.abc import Callable, Mapping
from typing import Final, TypeAlias

from perles.domain.records import dataclass

FALSE_WORDS: Final = frozenset({"", "false", "no", "off", "0"})

Value: TypeAlias = str | float | bool | None


class ConditionError(ValueError):
    """A text that is no condition, or values that cannot be compared; its text says why."""


@dataclass(frozen=True, slots=True)
class Constant:
    """A value that stands there."""

    value: Value


@dataclass(frozen=True, slots=True)
class Name:
    """A value that is looked up: `tasks.KEY.PART` or `args.NAME`."""

    name: str


@dataclass(frozen=True, slots=True)
class Applied:
    """An operator or function with its operands."""

    what: str
    operands: "tuple[Tree, ...]"


Tree: TypeAlias = Constant | Name | Applied


def as_text(value: Value) -> str:
    """A value as it is compared with a text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "true" if value else "false"
    return f"{value:g}" if isinstance(value, float) else value


FUNCTIONS: Final[Mapping[str, tuple[int, Callable[..., Value]]]] = {
    "contains": (2, lambda whole, part: as_text(part) in as_text(whole)),
    "startswith": (2, lambda whole, part: as_text(whole).startswith(as_text(part))),
    "endswith": (2, lambda whole, part: as_text(whole).endswith(as_text(part))),
    "lower": (1, lambda whole: as_text(whole).lower()),
}
"""By name, each with how many values it takes."""


def is_true(value: Value) -> bool:
    """Whether a value alone means yes: no text is empty, `false`, `no`, `off` or `0` then."""
    if isinstance(value, str):
        return value.strip().lower() not in FALSE_WORDS
    return bool(value)


def evaluated(tree: Tree, value_of: Callable[[str], Value]) -> Value:
    """What a tree comes to; `value_of` looks up a name. Raises `ConditionError`."""
    if isinstance(tree, Constant):
        return tree.value
    if isinstance(tree, Name):
        return value_of(tree.name)
    if tree.what == "not":
        return not is_true(evaluated(tree.operands[0], value_of))
    if tree.what in ("and", "or"):
        ends_at = tree.what == "or"
        return ends_at is any(
            is_true(evaluated(operand, value_of)) is ends_at for operand in tree.operands
        )
    found = [evaluated(operand, value_of) for operand in tree.operands]
    if tree.what in FUNCTIONS:
        return FUNCTIONS[tree.what][1](*found)
    return _compared(tree.what, *found)


def _compared(sign: str, left: Value, right: Value) -> bool:
    first, second = _number(left), _number(right)
    numbers = first is not None and second is not None
    if sign in ("==", "!="):
        same = first == second if numbers else as_text(left) == as_text(right)
        if left is None or right is None:
            same = left is right
        return same is (sign == "==")
    if left is None or right is None:
        return False
    if first is None or second is None:
        odd = as_text(left if first is None else right)
        raise ConditionError(f"{odd[:60]!r} is no number, which {sign} compares")
    return (first < second, first <= second, first > second, first >= second)[
        ("<", "<=", ">", ">=").index(sign)
    ]


def _number(value: Value) -> float | None:
    if isinstance(value, float):
        return value
    if isinstance(value, str) and re.fullmatch(r"\s*-?\d{1,300}(\.\d{1,300})?\s*", value):
        return float(value)
    return None
