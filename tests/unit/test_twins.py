"""A rule stands once: no function of the code is a copy of another one."""

import ast

from tests import figures


def test_no_function_stands_twice() -> None:
    assert figures.twins(figures.ROOT / "perles") == []


def test_a_copy_with_other_names_is_a_twin() -> None:
    one, other = (
        ast.parse(f"def f({a}):\n    {b} = {a} + 1\n    return {b}").body[0]
        for a, b in (("x", "y"), ("first", "second"))
    )
    assert isinstance(one, ast.FunctionDef)
    assert isinstance(other, ast.FunctionDef)

    assert figures.shape(one) == figures.shape(other)
