"""Filling in texts in the syntax of Go's text/template, as that does, in bounded time and space."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Final, TypeAlias

from perles.templates.gotext.functions import FunctionError, called
from perles.templates.gotext.lexer import GoTextError
from perles.templates.gotext.tree import (
    Block,
    Branch,
    Chain,
    Dot,
    Function,
    Insert,
    Jump,
    Literal,
    Operand,
    Pipeline,
    Print,
    Text,
    Tree,
    Variable,
)
from perles.templates.gotext.values import (
    MAX_LENGTH,
    NO_VALUE,
    Fields,
    is_true,
    printed,
    short_kind,
)

MAX_STEPS: Final = 200_000
"""Nodes and operands of one text that are looked at."""
MAX_INSERTS: Final = 50
"""Texts in texts that `template` inserts."""
Scope: TypeAlias = dict[str, list[Any]]
"""Variables, each in a cell of its own, so that an inner block changes an outer one's."""


class _Jumped(Exception):
    def __init__(self, kind: str) -> None:
        super().__init__(kind)
        self.kind = kind


def render(tree: Tree, values: Mapping[str, Any], shown: Callable[[Any], str] = printed) -> str:
    """The text of a tree; `shown` makes what is written of a value. Raises `GoTextError`."""
    given = Fields(values)
    run = _Run(tree, shown)
    run.block(tree.body, given, {"$": [given]}, 0)
    return "".join(run.pieces)


class _Run:
    def __init__(self, tree: Tree, shown: Callable[[Any], str]) -> None:
        self.pieces: list[str] = []
        self._tree = tree
        self._shown = shown
        self._steps = 0
        self._length = 0

    def block(self, block: Block, dot: Any, scope: Scope, depth: int) -> None:
        """Write the nodes of a block."""
        scope = dict(scope)
        for node in block:
            self._step()
            if isinstance(node, Text):
                self._write(node.text)
            elif isinstance(node, Print):
                value = self._pipeline(node.pipeline, dot, scope)
                if not node.pipeline.variables:
                    self._print(value, node.pipeline.line)
            elif isinstance(node, Jump):
                raise _Jumped(node.kind)
            elif isinstance(node, Insert):
                self._insert(node, dot, scope, depth)
            else:
                self._branch(node, dot, dict(scope), depth)

    def _print(self, value: Any, line: int) -> None:
        if isinstance(value, Fields):
            raise GoTextError(line, "cannot print all there is", "name a field, as {{.Name}}")
        self._write(self._shown(value))

    def _write(self, text: str) -> None:
        self._length += len(text)
        if self._length > MAX_LENGTH:
            raise GoTextError(0, "the result is over 1 MiB")
        self.pieces.append(text)

    def _step(self) -> None:
        self._steps += 1
        if self._steps > MAX_STEPS:
            raise GoTextError(0, f"it takes more than {MAX_STEPS} steps; use shorter loops")

    def _insert(self, node: Insert, dot: Any, scope: Scope, depth: int) -> None:
        body = self._tree.defined.get(node.name)
        if body is None:
            raise GoTextError(node.line, f'template "{node.name}" not defined')
        if depth >= MAX_INSERTS:
            raise GoTextError(node.line, f"more than {MAX_INSERTS} templates in templates")
        given = None if node.pipeline is None else self._pipeline(node.pipeline, dot, scope)
        self.block(body, given, {"$": [given]}, depth + 1)

    def _branch(self, node: Branch, dot: Any, scope: Scope, depth: int) -> None:
        if node.kind == "range":
            self._range(node, dot, scope, depth)
            return
        value = self._pipeline(node.pipeline, dot, scope)
        if is_true(value):
            self.block(node.body, value if node.kind == "with" else dot, scope, depth)
        else:
            self.block(node.otherwise, dot, scope, depth)

    def _range(self, node: Branch, dot: Any, scope: Scope, depth: int) -> None:
        value = self._pipeline(node.pipeline, dot, scope, assigns=False)
        is_empty = True
        for key, item in _items(value, node.pipeline.line):
            is_empty = False
            self._step()
            inner = dict(scope)
            names = node.pipeline.variables
            for name, one in zip(names, (item,) if len(names) == 1 else (key, item), strict=False):
                if node.pipeline.declares:
                    inner[name] = [one]
                else:
                    inner[name][0] = one
            try:
                self.block(node.body, item, inner, depth)
            except _Jumped as jump:
                if jump.kind == "break":
                    break
        if is_empty:
            self.block(node.otherwise, dot, scope, depth)

    def _pipeline(self, pipeline: Pipeline, dot: Any, scope: Scope, *, assigns: bool = True) -> Any:
        value: Any = None
        for number, command in enumerate(pipeline.commands):
            value = self._command(command, dot, scope, [value] if number else [], pipeline.line)
        if assigns and pipeline.variables:
            (name,) = pipeline.variables
            if pipeline.declares:
                scope[name] = [value]
            else:
                scope[name][0] = value
        return value

    def _command(
        self, command: Sequence[Operand], dot: Any, scope: Scope, last: list[Any], line: int
    ) -> Any:
        first, rest = command[0], command[1:]
        if not isinstance(first, Function):
            if rest or last:
                raise GoTextError(line, "can't give argument to non-function")
            return self._operand(first, dot, scope)
        if first.name in ("and", "or"):
            return self._and_or(first, rest, dot, scope, last)
        values = [*(self._operand(one, dot, scope) for one in rest), *last]
        return _called(first, values)

    def _and_or(
        self, function: Function, rest: Sequence[Operand], dot: Any, scope: Scope, last: list[Any]
    ) -> Any:
        if not rest and not last:
            raise GoTextError(function.line, f"wrong number of args for {function.name}: want 1")
        value: Any = None
        for one in rest:
            value = self._operand(one, dot, scope)
            if is_true(value) == (function.name == "or"):
                return value
        return last[0] if last else value

    def _operand(self, operand: Operand, dot: Any, scope: Scope) -> Any:
        self._step()
        if isinstance(operand, Literal):
            return operand.value
        if isinstance(operand, Function):
            if operand.name in ("and", "or"):
                raise GoTextError(operand.line, f"wrong number of args for {operand.name}")
            return _called(operand, [])
        if isinstance(operand, Dot):
            value = dot
        elif isinstance(operand, Variable):
            value = scope[operand.name][0]
        else:
            value = self._pipeline(operand.pipeline, dot, scope)
        for name in operand.fields:
            value = _field(value, name, operand)
        return value


def _called(function: Function, values: Sequence[Any]) -> Any:
    try:
        return called(function.name, values)
    except FunctionError as error:
        raise GoTextError(function.line, f"error calling {function.name}: {error}") from None


def _field(value: Any, name: str, operand: Dot | Variable | Chain) -> Any:
    if isinstance(value, Fields) and name in value:
        return value[name]
    if isinstance(value, Mapping) and not isinstance(value, Fields):
        return value.get(name, NO_VALUE)
    if value is None or value is NO_VALUE:
        raise GoTextError(operand.line, f"nil data; no entry for key {name!r}")
    known = f"there are {', '.join(value)}" if isinstance(value, Fields) else ""
    what = "a workflow" if isinstance(value, Fields) else f"type {short_kind(value)}"
    raise GoTextError(operand.line, f"can't evaluate field {name} in {what}", known)


def _items(value: Any, line: int) -> Iterable[tuple[Any, Any]]:
    if value is None or value is NO_VALUE:
        return ()
    if isinstance(value, Mapping) and not isinstance(value, Fields):
        return [(key, value[key]) for key in sorted(value)]
    if isinstance(value, list | tuple):
        return list(enumerate(value))
    if isinstance(value, int) and not isinstance(value, bool):
        return ((number, number) for number in range(value))
    raise GoTextError(line, f"range can't iterate over {short_kind(value)}")
