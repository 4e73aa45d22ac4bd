"""Tests close what they open: newer Pythons warn of a connection that is left to the collector."""

import re
from pathlib import Path

TESTS = Path(__file__).resolve().parents[1]


def test_a_connection_in_a_with_is_closed_by_it() -> None:
    """`with connect(…)` ends a transaction, and leaves the connection open."""
    left_open = [
        f"{path.relative_to(TESTS)}:{number}"
        for path in TESTS.rglob("*.py")
        for number, line in enumerate(path.read_text().splitlines(), 1)
        if re.match(r"\s*with (sqlite3\.|dbapi\.)?connect\(", line)
    ]

    assert left_open == []
