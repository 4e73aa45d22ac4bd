"""Whole sessions on a terminal, against a real engine."""

from collections.abc import Iterator

import pytest

from perles.store.sqlite.driver import dbapi
from tests.dashboard.terminal import Terminal
from tests.integration.cli import Home


@pytest.fixture
def terminal(home: Home) -> Iterator[Terminal]:
    """A dashboard that brings its engine."""
    made = Terminal(home, "dashboard", columns=100)
    made.shows("no workflow yet")
    yield made
    if made.process.poll() is None:
        made.type("\x03")
        made.ends()


def _as_an_engine_left_it(home: Home, name: str) -> None:
    """A workflow that waits to be started, and no engine: the last one died."""
    connection = dbapi.connect(home.database)
    with connection:
        connection.execute(
            "UPDATE workflows SET start_requested_at = created_at WHERE name = ?", (name,)
        )
    connection.close()


def test_create_start_follow_stop_quit(home: Home, terminal: Terminal) -> None:
    home.pipeline("slow", [{"key": "a", "run": "echo begun; sleep 60"}])

    terminal.type("N")
    terminal.shows("Pipeline")
    terminal.type("pipeline\r")
    terminal.shows("Pipeline file*")
    terminal.type("slow.yaml\tnightly\x13")
    terminal.shows("started wf-")  # the form is closed by now
    terminal.shows("● running")
    assert "nightly" in terminal.text()
    terminal.type("\r")
    terminal.shows("coordinator]")
    terminal.wait_for("worker-1's tab", lambda text: "w1" in text)
    terminal.type("2")
    terminal.shows("begun")
    terminal.type("x")
    terminal.shows("Stop nightly for good?")
    terminal.type("j")
    terminal.shows("nothing was stopped")
    terminal.type("xy")
    terminal.shows("■ stopped")
    terminal.type("\x1b")
    terminal.shows("STATE")
    terminal.type("q")

    assert terminal.ends() == 0
    terminal.assert_whole()
    assert home.json("show", "nightly", "--json")["state"] == "stopped"


def test_an_error_of_the_form_stays_in_the_form(home: Home, terminal: Terminal) -> None:
    terminal.type("n")
    terminal.shows("Pipeline")
    terminal.type("pipeline\r\x13")
    terminal.shows("Pipeline file is needed")
    terminal.type("nowhere.yaml\x13")
    terminal.shows("nowhere.yaml")
    terminal.wait_for("the error", lambda text: "cannot" in text)

    assert home.json("list", "--json") == []


def test_a_change_by_another_process_appears(home: Home, terminal: Terminal) -> None:
    file = home.pipeline("elsewhere", [{"key": "a", "run": "true"}])
    home.perles("create", file)

    terminal.shows("elsewhere")


def test_the_engine_that_ends_is_told_and_a_key_brings_it_back(
    home: Home, terminal: Terminal
) -> None:
    home.perles("create", home.pipeline("slow", [{"key": "a", "run": "sleep 60"}]))
    home.perles("start", "slow")
    terminal.shows("● running")
    home.kill_engine()
    terminal.shows("no engine runs: nothing goes on; E starts one")

    terminal.type("E")

    terminal.shows("started an engine")
    terminal.wait_for("no warning", lambda text: "no engine" not in text)


def test_it_brings_an_engine_where_work_waits_and_that_one_ends_when_idle(home: Home) -> None:
    file = home.pipeline("left", [{"key": "a", "run": "true"}])
    home.perles("create", file)
    _as_an_engine_left_it(home, "left")

    made = Terminal(home, "dashboard", columns=100)

    made.shows("✓ completed")
    made.shows("no engine")
    assert home.engine_pid() is None
    made.type("q")
    assert made.ends() == 0


def test_only_looking_starts_no_engine(home: Home) -> None:
    home.perles("create", home.pipeline("left", [{"key": "a", "run": "true"}]))
    _as_an_engine_left_it(home, "left")
    made = Terminal(home, "dashboard", "--no-engine")
    made.shows("no engine runs: looking only")
    made.type("q")
    made.ends()

    assert home.engine_pid() is None


def test_a_resize_draws_anew(home: Home, terminal: Terminal) -> None:
    terminal.resize(40, 10)

    terminal.wait_for("a narrow footer", lambda text: "q quit" in text.splitlines()[9])


def test_a_database_that_goes_away_leaves_a_banner(home: Home, terminal: Terminal) -> None:
    home.perles("create", home.pipeline("kept", [{"key": "a", "run": "true"}]))
    terminal.shows("kept")
    home.database.rename(home.database.with_suffix(".away"))
    terminal.type("k")

    text = terminal.shows("is gone")

    assert "kept" in text


def test_what_failed_stands_in_the_inbox(home: Home) -> None:
    home.perles("run", home.pipeline("broken", [{"key": "a", "run": "exit 3"}]))

    shown = home.perles("dashboard", "--once", "--width", "100", "--height", "12").stdout

    assert "1 for you" in shown
    assert "✗ failed" in shown
    assert "cannot" not in shown
    made = Terminal(home, "dashboard", "--no-engine", columns=100)
    made.shows("broken")
    made.type("i")
    made.shows("1 waiting")
    made.type("y")
    made.shows("this is no task")
    made.type("\r")
    made.shows("coordinator]")
    made.type("q")
    assert made.ends() == 0
