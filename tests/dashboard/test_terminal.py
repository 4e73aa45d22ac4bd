"""The terminal is whole again, however the dashboard ends."""

import os
import shlex
import signal
from time import monotonic

import pytest

from tests.dashboard.terminal import Terminal
from tests.integration.cli import Home


def _open(home: Home) -> Terminal:
    terminal = Terminal(home, "dashboard", "--no-engine")
    terminal.shows("no workflow yet")
    return terminal


@pytest.mark.parametrize("key", ["q", "\x03"])
def test_quit_gives_the_terminal_back(home: Home, key: str) -> None:
    terminal = _open(home)

    terminal.type(key)

    assert terminal.ends() == 0
    terminal.assert_whole()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_a_signal_gives_the_terminal_back(home: Home, number: int) -> None:
    terminal = _open(home)

    os.kill(terminal.process.pid, number)

    assert terminal.ends() == 128 + number
    terminal.assert_whole()


def test_an_exception_gives_the_terminal_back(home: Home) -> None:
    home.environ["PYTHONPATH"] = str(home.work)
    (home.work / "sitecustomize.py").write_text(
        "import perles.dashboard.update.dispatch as s\n"
        "import perles.dashboard.app as a\n"
        "def press(*_): raise RuntimeError('boom')\n"
        "a.press = press\n"
    )
    terminal = _open(home)

    terminal.type("j")

    assert terminal.ends() == 1
    terminal.assert_whole()
    assert b"internal error" in terminal.raw.split(b"\x1b[?1049l")[-1]


def test_ctrl_z_goes_to_the_shell_and_fg_comes_back(home: Home) -> None:
    command = shlex.join(home.argv("dashboard", "--no-engine"))
    terminal = Terminal(home, shell=f"{command}; echo at the shell; read x; fg; echo ended $?")
    terminal.shows("no workflow yet")

    terminal.type("\x1a")
    terminal.shows("at the shell")
    terminal.assert_whole()

    terminal.type("\n")
    terminal.shows("no workflow yet")
    terminal.type("q")
    terminal.shows("ended 0")
    assert terminal.ends() == 0
    terminal.assert_whole()


def test_the_mouse_that_is_left_to_the_terminal_is_left_after_fg_too(home: Home) -> None:
    command = shlex.join(home.argv("dashboard", "--no-engine"))
    terminal = Terminal(home, shell=f"{command}; echo at the shell; read x; fg")
    terminal.shows("no workflow yet")
    terminal.type("M")
    terminal.shows("the mouse selects text")
    terminal.type("\x1a")
    terminal.shows("at the shell")

    terminal.type("\n")
    terminal.shows("no workflow yet")

    assert terminal.raw.rfind(b"\x1b[?1000l") > terminal.raw.rfind(b"\x1b[?1000h")
    terminal.type("q")
    terminal.ends()
    terminal.assert_whole()


def test_a_hang_up_ends_the_dashboard(home: Home) -> None:
    terminal = _open(home)

    terminal.close()

    assert terminal.process.returncode is not None


def test_without_a_terminal_it_says_what_to_do(home: Home) -> None:
    result = home.perles("dashboard")

    assert result.returncode == 2
    assert "perles dashboard --once" in result.stderr


def test_a_dumb_terminal_is_refused(home: Home) -> None:
    terminal = Terminal(home, shell=f"TERM=dumb {shlex.join(home.argv('dashboard'))}")

    assert terminal.ends() == 2
    assert "dumb terminal" in terminal.text()


def test_a_terminal_that_takes_nothing_makes_frames_drop_and_none_queue(home: Home) -> None:
    terminal = _open(home)
    terminal.raw = b""
    deadline = monotonic() + 1.5  # thirty frames' time
    while monotonic() < deadline:
        terminal.type("??")  # the help, and the table again
        terminal.wait_until_taken()

    terminal.type("/zz")
    terminal.shows("zz")
    terminal.type("\x1b")
    terminal.wait_for("the table", lambda text: "zz" not in text)

    assert len(terminal.raw) < 40_000
    terminal.type("q")
    assert terminal.ends() == 0
    terminal.assert_whole()
