"""What a text in the syntax of Go's text/template is made of."""

from typing import TypeAlias

from perles.domain.records import dataclass


@dataclass(frozen=True, slots=True)
class Literal:
    """A text, a number, true, false or nil."""

    value: object


@dataclass(frozen=True, slots=True)
class Dot:
    """`.`: what is at hand, or a field of it, or of a field of it."""

    fields: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Variable:
    """`$name`, or a field of it; `$` alone is what the whole text was given."""

    name: str
    fields: tuple[str, ...]
    line: int


@dataclass(frozen=True, slots=True)
class Function:
    """A function by its name, which stands first in a command."""

    name: str
    line: int


@dataclass(frozen=True, slots=True)
class Chain:
    """A pipeline in parentheses, or a field of what it comes to."""

    pipeline: "Pipeline"
    fields: tuple[str, ...]
    line: int


Operand: TypeAlias = Literal | Dot | Variable | Function | Chain


@dataclass(frozen=True, slots=True)
class Pipeline:
    """Commands, each given what the one before came to; and the variables that take the result."""

    commands: tuple[tuple[Operand, ...], ...]
    line: int
    variables: tuple[str, ...] = ()
    declares: bool = False


@dataclass(frozen=True, slots=True)
class Text:
    """Text that stands as it is."""

    text: str


@dataclass(frozen=True, slots=True)
class Print:
    """`{{pipeline}}`."""

    pipeline: Pipeline


@dataclass(frozen=True, slots=True)
class Branch:
    """`if`, `with` and `range`."""

    kind: str
    pipeline: Pipeline
    body: "Block"
    otherwise: "Block"


@dataclass(frozen=True, slots=True)
class Jump:
    """`break` and `continue`."""

    kind: str


@dataclass(frozen=True, slots=True)
class Insert:
    """`{{template "name" pipeline}}`."""

    name: str
    pipeline: Pipeline | None
    line: int


Node: TypeAlias = Text | Print | Branch | Jump | Insert
Block: TypeAlias = tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Tree:
    """A whole text, and the texts that it defines by name."""

    body: Block
    defined: dict[str, Block]
