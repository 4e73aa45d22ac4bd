"""A rule stands once, in a function that is seen at a glance."""

import ast

from tests import figures


def test_no_function_stands_twice() -> None:
    assert figures.twins(figures.ROOT / "perles") == []


def test_no_function_is_longer_than_fifty_lines() -> None:
    sizes = {
        place: function.end_lineno - function.lineno + 1
        for place, function in figures.functions(figures.ROOT / "perles")
        if function.end_lineno is not None
    }

    assert {place: size for place, size in sizes.items() if size > 50} == {}


def test_a_copy_with_other_names_is_a_twin() -> None:
    one, other = (
        ast.parse(f"def f({a}):\n    {b} = {a} + 1\n    return {b}").body[0]
        for a, b in (("x", "y"), ("first", "second"))
    )
    assert isinstance(one, ast.FunctionDef)
    assert isinstance(other, ast.FunctionDef)

    assert figures.shape(one) == figures.shape(other)
