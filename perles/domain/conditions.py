"""`when`: whether a task is to run, by what came of earlier ones. A small language; no I/O.

    tasks.test.exit_code == 2 and not (args.target == 'prod' or contains(tasks.a.output, 'skip'))

It compares and joins; it neither calculates nor repeats, and its length and depth are bounded,
so that every condition is decided in a moment.
"""

import re
from collections.abc import Callable, Mapping
from typing import Final

from perles.domain.condition_tree import (
    FUNCTIONS,
    Applied,
    ConditionError,
    Constant,
    Name,
    Tree,
    Value,
    as_text,
    evaluated,
    is_true,
)
from perles.domain.nearest import nearest
from perles.domain.patterns import lazy_pattern
from perles.domain.records import dataclass

MAX_LENGTH: Final = 1000
MAX_DEPTH: Final = 20
ENDS: Final = ("done", "failed", "skipped")
"""What `tasks.KEY.status` can be when a condition is decided."""

_TOKEN: Final = lazy_pattern(
    r"""\s*(?:
      (?P<text>'[^']*'|"[^"]*")
    | (?P<number>-?\d+(?:\.\d+)?(?![\w.]))
    | (?P<name>[A-Za-z_][\w-]*(?:\.[\w-]+)*)
    | (?P<sign>==|!=|<=|>=|<|>|\(|\)|,|&&|\|\||!)
    )""",
    re.VERBOSE,
)
_TASK: Final = lazy_pattern(
    r"tasks\.([a-z0-9][a-z0-9_-]*)\.(status|exit_code|output|outputs\.[A-Za-z_][\w-]*)"
)
_ARGUMENT: Final = lazy_pattern(r"args\.([A-Za-z_][\w-]*)")
_SAME: Final = {"&&": "and", "||": "or", "!": "not"}
_CONSTANTS: Final[Mapping[str, Value]] = {"true": True, "false": False, "null": None}
_COMPARED: Final = ("==", "!=", "<", "<=", ">", ">=")
_PARTS: Final = {"status", "exit_code", "output", "outputs.NAME"}


@dataclass(frozen=True, slots=True)
class Condition:
    """A condition that was read. `tasks` are the parts that it asks of each task, by key."""

    tree: Tree
    tasks: Mapping[str, frozenset[str]]
    arguments: frozenset[str]

    @property
    def decides_over(self) -> frozenset[str]:
        """The tasks whose status or exit code it asks for: it says itself whether they may fail."""
        ends = {"status", "exit_code"}
        return frozenset(key for key, parts in self.tasks.items() if parts & ends)

    def holds(self, value_of: Callable[[str], Value]) -> bool:
        """Whether it is true; `value_of` looks up a name. Raises `ConditionError`."""
        return is_true(evaluated(self.tree, value_of))


def parse(text: str) -> Condition:
    """The condition that a text says. Raises `ConditionError`."""
    inner = text.strip()
    if inner.startswith("{{") and inner.endswith("}}"):
        inner = inner[2:-2].strip(" -\t")
    if len(inner) > MAX_LENGTH:
        raise ConditionError(f"is longer than {MAX_LENGTH} characters")
    reader = _Reader(inner)
    tree = reader.whole()
    return Condition(
        tree,
        {key: frozenset(parts) for key, parts in reader.tasks.items()},
        frozenset(reader.arguments),
    )


class _Reader:
    """Reads one text from left to right; what binds closer is read deeper."""

    def __init__(self, text: str) -> None:
        self._text = text
        self._at = 0
        self._depth = 0
        self._kind, self._word = "", ""
        self.tasks: dict[str, set[str]] = {}
        self.arguments: set[str] = set()
        self._next()

    def whole(self) -> Tree:
        if self._kind == "end":
            raise ConditionError("is empty; give the condition of the task")
        tree = self._any_of()
        if self._kind != "end":
            raise self._odd("nothing can stand there; join conditions with and, or")
        return tree

    def _next(self) -> None:
        rest = self._text[self._at :]
        if not rest.strip():
            self._kind, self._word = "end", "its end"
            self._start = self._at = len(self._text)
            return
        found = _TOKEN.match(self._text, self._at)
        if found is None or found.lastgroup is None:
            self._start = self._at + len(rest) - len(rest.lstrip())
            self._word = self._text[self._start]
            raise self._odd("a condition compares and joins; it cannot calculate")
        self._kind = found.lastgroup
        self._word = _SAME.get(found[self._kind], found[self._kind])
        self._start, self._at = found.start(self._kind), found.end()

    def _odd(self, why: str) -> ConditionError:
        return ConditionError(f"{self._word[:60]!r} at character {self._start + 1}: {why}")

    def _takes(self, *words: str) -> str:
        """The word, where it is the next one; "" otherwise."""
        if self._kind in ("name", "sign") and self._word in words:
            found = self._word
            self._next()
            return found
        return ""

    def _any_of(self) -> Tree:
        self._depth += 1
        if self._depth > MAX_DEPTH:
            raise ConditionError(f"is nested deeper than {MAX_DEPTH}")
        parts = [self._all_of()]
        while self._takes("or"):
            parts.append(self._all_of())
        self._depth -= 1
        return parts[0] if len(parts) == 1 else Applied("or", tuple(parts))

    def _all_of(self) -> Tree:
        parts = [self._not()]
        while self._takes("and"):
            parts.append(self._not())
        return parts[0] if len(parts) == 1 else Applied("and", tuple(parts))

    def _not(self) -> Tree:
        turned = 0
        while self._takes("not"):
            turned += 1
        tree = self._comparison()
        if not turned:
            return tree
        once = Applied("not", (tree,))
        return once if turned % 2 else Applied("not", (once,))

    def _comparison(self) -> Tree:
        left = self._operand()
        sign = self._takes(*_COMPARED)
        if not sign:
            return left
        right = self._operand()
        for one, other in ((left, right), (right, left)):
            _check_end(one, other)
        if self._kind == "sign" and self._word in _COMPARED:
            raise self._odd("compare two values at a time, and join with and")
        return Applied(sign, (left, right))

    def _operand(self) -> Tree:
        kind, word = self._kind, self._word
        if self._takes("("):
            tree = self._any_of()
            self._close()
            return tree
        if kind == "text":
            self._next()
            return Constant(word[1:-1])
        if kind == "number":
            self._next()
            return Constant(float(word))
        if kind == "name" and word not in ("and", "or", "not"):
            return self._named(word)
        raise self._odd("a value must stand there")

    def _close(self) -> None:
        if not self._takes(")"):
            raise self._odd("a ) must stand there")

    def _named(self, word: str) -> Tree:
        if word in _CONSTANTS:
            self._next()
            return Constant(_CONSTANTS[word])
        if task := _TASK.fullmatch(word):
            self.tasks.setdefault(task[1], set()).add(task[2])
            self._next()
            return Name(word)
        if argument := _ARGUMENT.fullmatch(word):
            self.arguments.add(argument[1])
            self._next()
            return Name(word)
        if word in FUNCTIONS:
            return self._call(word)
        raise self._odd(_unknown(word))

    def _call(self, word: str) -> Tree:
        self._next()
        if not self._takes("("):
            raise self._odd(f"{word} needs its values in parentheses")
        operands = [self._any_of()]
        while self._takes(","):
            operands.append(self._any_of())
        self._close()
        wanted = FUNCTIONS[word][0]
        if len(operands) != wanted:
            raise ConditionError(f"{word} takes {wanted} values, not {len(operands)}")
        return Applied(word, tuple(operands))


def _unknown(word: str) -> str:
    if word.startswith("tasks."):
        return f"of a task there is {', '.join(sorted(_PARTS))}, as in tasks.KEY.status"
    words = (*FUNCTIONS, *_CONSTANTS, "tasks.KEY.status", "args.NAME")
    return f"nothing has that name{nearest(word, words)}; a text stands in 'quotes'"


def _check_end(name: Tree, value: Tree) -> None:
    """Raise `ConditionError` where a status is compared with what no status can be."""
    if not (isinstance(name, Name) and name.name.endswith(".status")):
        return
    if name.name.startswith("tasks.") and isinstance(value, Constant) and value.value not in ENDS:
        said = as_text(value.value)
        raise ConditionError(
            f"no status is {said[:60]!r}{nearest(said, ENDS)}; it is one of {', '.join(ENDS)}"
        )
