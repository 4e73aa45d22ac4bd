"""What statements ask of SQLite means the same in a schema on a PostgreSQL server."""

from contextlib import closing

import pytest

from perles.store.postgres.functions import FUNCTIONS, GLOB
from perles.store.sqlite.driver import dbapi
from tests.postgres.server import Server

EXPRESSIONS = (
    "round(CAST(julianday('2026-01-31T10:22:14.123Z') AS NUMERIC), 6)",
    "strftime('%Y-%m-%dT%H:%M:%fZ', '2026-01-31T23:59:59.900Z', '+1.500 seconds')",
    "strftime('%Y-%m-%dT%H:%M:%fZ', '2026-03-01T00:00:00.000Z', '-0.001 seconds')",
    """json_extract('{"a":{"b":"c"},"n":7}', '$.a.b')""",
    """json_extract('{"a":{"b":"c"},"n":7}', '$.n')""",
    """coalesce(json_extract('{"a":1}', '$.b.c'), 'nothing')""",
    """json_remove('{"v":1,"b":[1,2],"c":{"v":"x"}}', '$.v')""",
    """json_remove('{"v":1}', '$.v')""",
    """(SELECT group_concat(e.value, '/') FROM json_each('[3,1,"x"]') e)""",
    """(SELECT group_concat(e.key || '=' || e.value, '/') FROM json_each('{"b":"2","a":1}') e)""",
    "instr('release', 'lea') + instr('release', 'x')",
    "CASE WHEN +'a' = 'a' THEN 1 ELSE 0 END",
    "max(1, 2, 0)",
    "min('b', 'a')",
    "coalesce(max('a', NULL), 'nothing')",
)
GLOBS = (
    ("turn.final", "turn.[fsilt]*"),
    ("turn.final", "turn.[^fsilt]*"),
    ("worker.output", "*.output"),
    ("a.b", "a?b"),
    ("axb", "a.b"),
    ("a[b", "a[b"),
    ("[", "[[]"),
    ("]x", "[]]x"),
    ("a\\b", "a\\b"),
    ("\\", "[\\]"),
    ("a+(b)|{c}^$", "a+(b)|{c}^$"),
    ("ab", "b"),
    ("Ab", "ab"),
    ("", ""),
    ("", "*"),
    ("two\nlines", "two*lines"),
)


def test_functions_give_what_those_of_sqlite_give(server: Server) -> None:
    with closing(dbapi.connect(":memory:")) as sqlite:
        known = [str(sqlite.execute(f"SELECT {one}").fetchone()[0]) for one in EXPRESSIONS]
    assert _ask(server, EXPRESSIONS) == known


@pytest.mark.parametrize("word", ["GLOB", "NOT GLOB"])
def test_a_glob_fits_what_it_fits_in_sqlite(server: Server, word: str) -> None:
    ours = f"!{GLOB}" if word == "NOT GLOB" else GLOB
    with closing(dbapi.connect(":memory:")) as sqlite:
        known = [sqlite.execute(f"SELECT ? {word} ?", pair).fetchone()[0] for pair in GLOBS]
    asked = [f"('{text}' {ours} '{glob}')::int" for text, glob in GLOBS]
    assert _ask(server, asked) == [str(one) for one in known]


def test_a_zero_character_in_json_is_no_error(server: Server) -> None:
    given = """'{"a":"x","b":"\\u0000"}'"""
    assert _ask(server, [f"json_extract({given}, '$.a')"]) == ["x"]


def _ask(server: Server, expressions: tuple[str, ...] | list[str]) -> list[str]:
    made = ";\n".join(FUNCTIONS)
    asked = "".join(f"SELECT {one};\n" for one in expressions)
    return server.run(f"BEGIN;\n{made};\n{asked}ROLLBACK;").splitlines()
