"""The terminal: taken whole, given back whole, whatever happens in between.

Writing goes through an open file of our own that never blocks: a terminal that
takes nothing more makes frames drop, none is queued.
"""

from __future__ import annotations

import atexit
import base64
import os
import select
import signal
import termios
import tty
from typing import Any, Final

from perles.domain.text import clean

_ENTER: Final = b"\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[?1000h\x1b[?1006h\x1b[?2004h\x1b[0m\x1b[2J"
_LEAVE: Final = (
    b"\x1b[?2026l\x1b[?2004l\x1b[?1006l\x1b[?1000l\x1b[?7h\x1b[0m\x1b[2J\x1b[?25h\x1b[?1049l"
)
_MOUSE: Final = {True: b"\x1b[?1000h\x1b[?1006h", False: b"\x1b[?1006l\x1b[?1000l"}
_LEAVE_SECONDS: Final = 1.0
"""How long leaving waits for a terminal that takes nothing."""


class Screen:
    """One terminal, in raw mode and on its other screen between `enter` and `leave`."""

    def __init__(self, in_fd: int = 0, out_fd: int = 1) -> None:
        self.in_fd = in_fd
        self._size_fd = out_fd
        self._out_fd = _own_file(out_fd)
        self._saved: list[Any] | None = None
        self._rest = b""
        self._registered = False
        self._mouse = True

    def enter(self) -> None:
        """Take the terminal."""
        if not self._registered:
            atexit.register(self.leave)
            self._registered = True
        if self._saved is None:
            self._saved = termios.tcgetattr(self.in_fd)
            tty.setraw(self.in_fd, termios.TCSADRAIN)
            self._rest = b""
            self._write(_ENTER if self._mouse else _ENTER + _MOUSE[False])

    def leave(self) -> None:
        """Give the terminal back as it was; once is enough, more does no harm."""
        if self._saved is None:
            return
        saved, self._saved = self._saved, None
        try:
            self._drain()
            self._rest = b""
            self._write(_LEAVE)
            self._drain()
        except OSError:
            pass  # the terminal hung up: there is nothing to give back
        try:
            termios.tcsetattr(self.in_fd, termios.TCSANOW, saved)
        except (termios.error, OSError):
            pass  # the same

    def suspend(self) -> None:
        """Go to the shell, as Ctrl-Z does elsewhere; comes back with `fg`."""
        self.leave()
        before = signal.signal(signal.SIGTSTP, signal.SIG_DFL)
        os.kill(os.getpid(), signal.SIGTSTP)
        signal.signal(signal.SIGTSTP, before)
        self.enter()

    def take_mouse(self, take: bool) -> None:
        """Have clicks and the wheel sent here, or leave the mouse to who selects text with it."""
        self._mouse = take
        self._write(_MOUSE[take])

    def copy(self, text: str) -> None:
        """Put a text into the clipboard by OSC 52; a terminal that knows it not ignores it.

        Nothing but text goes there: it may be pasted into a shell.
        """
        told = clean(text, lines=True).encode("utf-8", "replace")
        self._write(b"\x1b]52;c;" + base64.b64encode(told) + b"\x07")

    def size(self) -> tuple[int, int]:
        """Columns and rows, as they are now."""
        try:
            found = os.get_terminal_size(self._size_fd)
        except OSError:
            return 80, 24
        return (found.columns or 80), (found.lines or 24)

    def ready(self) -> bool:
        """Whether a frame can be written: the last one is out, and the terminal takes more."""
        if self._rest:
            self._flush()
        return not self._rest and bool(select.select([], [self._out_fd], [], 0)[1])

    def write(self, data: bytes) -> None:
        """Write a frame; what the terminal does not take now goes out before the next one."""
        self._write(data)

    @property
    def blocked(self) -> int | None:
        """The descriptor to wait for, while a part of a frame is not out."""
        return self._out_fd if self._rest else None

    def _write(self, data: bytes) -> None:
        self._rest += data
        self._flush()

    def _flush(self) -> None:
        try:
            while self._rest:
                self._rest = self._rest[os.write(self._out_fd, self._rest) :]
        except BlockingIOError:
            return

    def _drain(self) -> None:
        while self._rest and select.select([], [self._out_fd], [], _LEAVE_SECONDS)[1]:
            self._flush()


def _own_file(fd: int) -> int:
    """An open file of our own on the terminal: making that one non-blocking harms nobody else."""
    try:
        return os.open(os.ttyname(fd), os.O_WRONLY | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC)
    except OSError:
        return os.dup(fd)
