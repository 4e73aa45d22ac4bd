"""Figures of the code: `python -m tests.figures`. And functions that stand twice in it."""

import ast
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
SMALL = 40
"""Nodes of a syntax tree; a body of no more may stand twice."""
Function = ast.FunctionDef | ast.AsyncFunctionDef


class _Renamed(ast.NodeTransformer):
    """Numbers arguments and local names, so that what they are called does not count."""

    def __init__(self) -> None:
        self._numbers: dict[str, str] = {}

    def visit_arg(self, node: ast.arg) -> ast.arg:
        number = self._numbers.setdefault(node.arg, f"_{len(self._numbers)}")
        return ast.arg(arg=number, annotation=None)

    def visit_Name(self, node: ast.Name) -> ast.Name:
        if isinstance(node.ctx, ast.Store):
            self._numbers.setdefault(node.id, f"_{len(self._numbers)}")
        return ast.Name(id=self._numbers.get(node.id, node.id), ctx=node.ctx)


def functions(folder: Path) -> Iterator[tuple[str, Function]]:
    """Every function below a folder, with its place."""
    for path in sorted(folder.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, Function):
                yield f"{path.relative_to(ROOT)}:{node.lineno} {node.name}", node


def _body(function: Function) -> list[ast.stmt]:
    return function.body[1:] if ast.get_docstring(function) else function.body


def shape(function: Function) -> str:
    """What the function does, whatever its arguments and local names are called."""
    renamed = _Renamed()
    renamed.visit(function.args)
    return "\n".join(ast.dump(renamed.visit(statement)) for statement in _body(function))


def twins(folder: Path) -> list[list[str]]:
    """The places of functions whose bodies are equal but for their local names."""
    found = defaultdict(list)
    for place, function in functions(folder):
        if sum(1 for statement in _body(function) for _ in ast.walk(statement)) > SMALL:
            found[shape(function)].append(place)
    return [places for places in found.values() if len(places) > 1]


def _spread(name: str, sizes: Sequence[int]) -> str:
    ordered = sorted(sizes)
    half, most = ordered[len(ordered) // 2], ordered[len(ordered) * 95 // 100]
    return f"{name}: {len(ordered)}, lines p50 {half}, p95 {most}, max {ordered[-1]}"


def _lines(folder: str) -> list[int]:
    return [len(path.read_text().splitlines()) for path in (ROOT / folder).rglob("*.py")]


def main() -> None:
    """Print the figures."""
    source, tests = _lines("perles"), _lines("tests")
    sizes = [(one.end_lineno or 0) - one.lineno + 1 for _, one in functions(ROOT / "perles")]
    print(_spread("files of perles", source))
    print(_spread("functions of perles", sizes))
    print(f"lines of tests for each line of perles: {sum(tests) / sum(source):.2f}")
    print(f"functions that stand twice: {len(twins(ROOT / 'perles'))}")


if __name__ == "__main__":
    main()
