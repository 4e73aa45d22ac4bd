"""Bad terminals, bad databases, bad input: what a person meets on a bad day."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from perles.store.sqlite.driver import dbapi
from tests.dashboard.terminal import Terminal
from tests.integration.cli import Home


@pytest.fixture
def terminal(home: Home) -> Iterator[Terminal]:
    """A dashboard that only looks at one workflow."""
    home.perles("create", home.pipeline("kept", [{"key": "a", "run": "true"}]))
    made = Terminal(home, "dashboard", "--no-engine", columns=100)
    made.shows("kept")
    yield made
    if made.process.poll() is None:
        made.type("\x03")
        made.ends()


def test_a_tiny_terminal_says_so_and_grows(terminal: Terminal) -> None:
    terminal.resize(10, 3)
    terminal.shows("10x3")

    terminal.type("jx?")
    terminal.resize(80, 24)

    terminal.shows("kept")


@pytest.mark.parametrize("how", ["< /dev/null", "> /dev/null", "| cat"])
def test_without_a_whole_terminal_it_is_refused(home: Home, how: str) -> None:
    terminal = Terminal(home, shell=f"{' '.join(home.argv('dashboard'))} {how}; echo code $?")

    terminal.shows("code")
    assert "this is no terminal" in " ".join(terminal.text().split())
    terminal.ends()


def test_invalid_letters_do_nothing(terminal: Terminal) -> None:
    terminal.type(b"/\xff\xfe\xc3\xed\xa0\x80\x80kep\xc3")
    terminal.shows("1 of 1")

    terminal.type(b"\r")

    assert "/kep" in terminal.wait_for("the filter", lambda text: "Esc clears" in text)


@contextmanager
def _locked(path: Path) -> Iterator[None]:
    """The database in the hands of a process that lets nobody even read."""
    connection = dbapi.connect(path, isolation_level=None)
    connection.execute("PRAGMA locking_mode = EXCLUSIVE")
    for _ in range(1000):
        try:
            connection.execute("BEGIN EXCLUSIVE")
            break
        except dbapi.OperationalError:
            continue
    try:
        yield
    finally:
        connection.rollback()
        connection.close()


def test_a_locked_database_is_told_and_read_again_once_it_is_free(
    home: Home, terminal: Terminal
) -> None:
    terminal.type("q")
    terminal.ends()
    with _locked(home.database):
        made = Terminal(home, "dashboard", "--no-engine", columns=100)
        made.shows("locked")
        assert "nothing can be read" in made.text()
        made.type("?")
        made.shows("? closes")  # it obeys
        made.type("?")
    made.shows("kept")
    assert "locked" not in made.text()
    made.type("q")
    assert made.ends() == 0


def test_a_database_that_becomes_newer_than_the_code_is_told(
    home: Home, terminal: Terminal
) -> None:
    _set_version(home, "9999")

    text = terminal.shows("newer than this perles")

    assert "kept" in text
    once = home.perles("dashboard", "--once")
    assert (once.returncode, once.stdout, "newer" in once.stderr) == (7, "", True)


def _set_version(home: Home, version: str) -> None:
    connection = dbapi.connect(home.database)
    with connection:
        connection.execute("UPDATE alembic_version SET version_num = ?", (version,))
    connection.close()


def test_a_row_that_ends_while_its_stop_dialog_is_open_is_told(
    home: Home, terminal: Terminal
) -> None:
    terminal.type("x")
    terminal.shows("Stop kept for good?")
    home.perles("stop", "kept")
    terminal.shows("is stopped by now")

    terminal.type("y")

    terminal.wait_for("the dialog's end", lambda text: "for good?" not in text)
    assert "nothing to stop" in terminal.text()


def test_a_paste_of_a_megabyte_is_cut_and_told(home: Home, terminal: Terminal) -> None:
    terminal.type("\r")
    terminal.shows("coordinator]")
    terminal.type("m")
    terminal.shows("Enter send")

    terminal.paste(b"word \x1b[31m\x07\n" * 70_000)

    terminal.shows("too long: the rest was cut")
    terminal.type("\x7f" * 6 + "§end")
    terminal.shows("§end")


def test_bytes_at_random_are_survived(terminal: Terminal) -> None:
    for seed in range(20):
        noise = bytes(b for b in os.urandom(400) if b not in b"qQEsSnN\x03\x1a\x1b")
        terminal.type(noise if seed % 2 else b"\x1b[" + noise)
        terminal.read()

    terminal.resize(90, 20)
    terminal.wait_for("a footer", lambda text: "quit" in text or "Esc" in text or "help" in text)
    assert terminal.process.poll() is None
