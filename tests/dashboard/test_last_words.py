"""What an agent said last stands in its workflow's row, where there is room."""

from perles.dashboard.frames.table import draw
from perles.dashboard.model.state import State, View
from perles.dashboard.reading.source import Source
from perles.store.reads import dashboard
from perles.store.reads.connection import reading
from tests.integration.cli import Home


def _rows(home: Home, columns: int) -> str:
    source = Source(home.database)
    source.changed()
    view = source.view(State(), View(), (columns, 30))
    source.close()
    return "\n".join("".join(part.text for part in line) for line in draw(State(), view)[:4])


def test_wide_rows_have_the_last_words_and_narrow_ones_do_not(home: Home) -> None:
    path = home.pipeline("talk", [{"key": "a", "run": "echo first words; echo; echo last words"}])
    assert home.perles("run", path).returncode == 0

    assert "last words" in _rows(home, 160)
    assert "SAID LAST" in _rows(home, 160)
    assert "words" not in _rows(home, 120)


def test_words_are_looked_for_among_the_newest_events_alone(home: Home) -> None:
    path = home.pipeline("quiet", [{"key": "a", "run": "true"}])
    id = str(home.json("create", path, "--json")["id"])
    with reading(home.database) as connection:
        assert connection is not None
        assert dashboard.last_words(connection, id) == ""
        plan = connection.execute(
            f"EXPLAIN QUERY PLAN {dashboard.LAST_EVENTS}", (id, 60)
        ).fetchall()
    assert not any(str(row[3]).startswith("SCAN events") for row in plan)
