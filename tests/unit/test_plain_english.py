"""What people read says who does what, in the field's words: no riddles of a translation."""

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
RIDDLES = re.compile(
    r"\b(whoever|nobody who|at most so (?:many|much|long)|(?:exactly|of) so many|that which)\b",
    re.IGNORECASE,
)
"""Turns that have a plain form: "the caller", "up to `limit`"."""
VAGUE = re.compile(r"\bthose (?:that|who)\b", re.IGNORECASE)
"""A noun stands there: "the workflows that wait"."""
PROMPTS = (ROOT / "perles" / "templates" / "builtin").rglob("*.md")
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").rglob("*.md"), *PROMPTS])


def _texts(path: Path) -> str:
    """A page without the style guide's own examples of what to avoid."""
    lines = path.read_text().splitlines()
    return "\n".join(line for line in lines if not line.startswith('| "'))


def _strings(path: Path) -> str:
    """What the code says: its docstrings, and the texts that it shows."""
    tree = ast.parse(path.read_text())
    nodes = (node.value for node in ast.walk(tree) if isinstance(node, ast.Constant))
    return "\n".join(text for text in nodes if isinstance(text, str))


def _found(riddle: re.Pattern[str], text: str) -> list[str]:
    return [text[max(0, at.start() - 40) : at.end() + 40] for at in riddle.finditer(text)]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_a_page_holds_no_riddle(page: Path) -> None:
    assert _found(RIDDLES, _texts(page)) == []
    if "templates" not in page.parts:  # agents read those
        assert _found(VAGUE, _texts(page)) == []


def test_no_text_of_the_code_is_a_riddle() -> None:
    found = {
        str(path.relative_to(ROOT)): riddles
        for path in sorted((ROOT / "perles").rglob("*.py"))
        if (riddles := _found(RIDDLES, _strings(path)) + _found(VAGUE, _strings(path)))
    }

    assert found == {}
