"""What a text in the syntax of Go's text/template names, in whichever branch."""

from collections.abc import Iterator, Mapping, Sequence
from typing import NamedTuple

from perles.templates.gotext.tree import (
    Block,
    Branch,
    Chain,
    Dot,
    Insert,
    Operand,
    Pipeline,
    Print,
    Tree,
    Variable,
)


class Found(NamedTuple):
    """A field that there is not: as written, its name, the names that there are, and its line."""

    shown: str
    name: str
    known: Sequence[str]
    line: int


def unknown_fields(
    tree: Tree, fields: Sequence[str], entries: Mapping[str, Sequence[str]]
) -> Iterator[Found]:
    """Fields of what the whole text is given that are not among `fields`, and entries of one, such
    as `.Args.goal`, that are not among those of `entries`."""
    for names, line in _named(tree.body, at_top=True):
        if names and names[0] not in fields:
            yield Found(f".{names[0]}", names[0], fields, line)
        elif len(names) > 1 and names[0] in entries and names[1] not in entries[names[0]]:
            yield Found(f".{names[0]}.{names[1]}", names[1], entries[names[0]], line)


def _named(block: Block, *, at_top: bool) -> Iterator[tuple[tuple[str, ...], int]]:
    """The fields of the top that a block names; `.` is the top only where `at_top`."""
    for node in block:
        if isinstance(node, Print | Branch | Insert) and node.pipeline is not None:
            yield from _in_pipeline(node.pipeline, at_top)
        if isinstance(node, Branch):
            yield from _named(node.body, at_top=at_top and node.kind == "if")
            yield from _named(node.otherwise, at_top=at_top)


def _in_pipeline(pipeline: Pipeline, at_top: bool) -> Iterator[tuple[tuple[str, ...], int]]:
    for command in pipeline.commands:
        for operand in command:
            yield from _in_operand(operand, at_top)


def _in_operand(operand: Operand, at_top: bool) -> Iterator[tuple[tuple[str, ...], int]]:
    if (isinstance(operand, Dot) and at_top) or (
        isinstance(operand, Variable) and operand.name == "$"
    ):
        yield operand.fields, operand.line
    elif isinstance(operand, Chain):
        yield from _in_pipeline(operand.pipeline, at_top)
