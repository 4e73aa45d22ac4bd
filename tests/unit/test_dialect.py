"""What only SQLite understands is said in one room."""

import re
from pathlib import Path

ROOT = Path(__file__).parents[2] / "perles"
ROOM = ROOT / "store" / "sqlite"
STAND_IN = ROOT / "store" / "postgres" / "functions.py"
"""Where another server is taught them."""
WORDS = re.compile(
    r"\bPRAGMA\b|\bVACUUM\b|json_each|json_extract|julianday|sqlite_master|BEGIN IMMEDIATE|"
    r"\bfunc\.strftime|\.backup\(writing|\bdbapi\.connect|import sqlite3"
)


def outside() -> list[str]:
    """The lines outside of that room that say what only SQLite understands."""
    return [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for path in sorted(ROOT.rglob("*.py"))
        if not path.is_relative_to(ROOM) and path != STAND_IN
        for line in _code(path)
        if WORDS.search(line)
    ]


def test_words_of_sqlite_stand_in_its_own_room_only() -> None:
    assert outside() == []
    assert any(WORDS.search(line) for path in ROOM.glob("*.py") for line in _code(path))


def _code(path: Path) -> list[str]:
    """The lines without docstrings, which may speak of it."""
    return re.sub(r'(?m)^\s*"""(.|\n)*?"""', "", path.read_text()).splitlines()
