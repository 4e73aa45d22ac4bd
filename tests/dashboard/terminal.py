"""A terminal for tests: a pty with a screen that pyte keeps, and a program in it."""

import fcntl
import os
import pty
import select
import struct
import subprocess
import termios
from collections.abc import Callable
from time import monotonic
from typing import Any

import pyte

from tests.integration.cli import DEADLINE, Home


class Terminal:
    """Runs perles in a terminal of its own; `screen` is what a person would see."""

    def __init__(
        self, home: Home, *args: str, columns: int = 80, rows: int = 24, shell: str = ""
    ) -> None:
        self.screen = pyte.Screen(columns, rows)
        self._stream = pyte.ByteStream(self.screen)
        self.master, self._slave = pty.openpty()
        self.resize(columns, rows)
        self.before = termios.tcgetattr(self._slave)
        self.raw = b""
        self.process = subprocess.Popen(
            ["bash", "-mc", shell] if shell else home.argv(*args),
            cwd=home.work,
            env={**home.environ, "TERM": "xterm-256color"},
            stdin=self._slave,
            stdout=self._slave,
            stderr=self._slave,
            preexec_fn=_own_terminal,
        )

    def resize(self, columns: int, rows: int) -> None:
        """Another size, as a window manager would tell it."""
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
        self.screen.resize(rows, columns)

    def type(self, text: str | bytes) -> None:
        """Press keys."""
        os.write(self.master, text if isinstance(text, bytes) else text.encode())

    def wait_until_taken(self) -> None:
        """Wait until the program has read what was typed; what it writes stays unread."""
        deadline = monotonic() + DEADLINE
        waiting = 1
        while waiting and monotonic() < deadline:
            found = fcntl.ioctl(self._slave, termios.FIONREAD, b"\0" * 4)
            waiting = struct.unpack("i", found)[0]

    def paste(self, text: bytes) -> None:
        """Paste a text of any length: it goes in as fast as the program takes it."""
        rest = b"\x1b[200~" + text + b"\x1b[201~"
        os.set_blocking(self.master, False)
        deadline = monotonic() + DEADLINE
        while rest and monotonic() < deadline:
            self.read(0)
            if select.select([], [self.master], [], 0.1)[1]:
                rest = rest[os.write(self.master, rest[:4096]) :]
        os.set_blocking(self.master, True)
        assert not rest

    def read(self, seconds: float = 0.02) -> None:
        """Take in what the program wrote, waiting for it for a moment."""
        while select.select([self.master], [], [], seconds)[0]:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                return
            if not data:
                return
            self.raw += data
            self._stream.feed(data.replace(b"\x1b[?2026h", b"").replace(b"\x1b[?2026l", b""))
            seconds = 0

    def text(self) -> str:
        """What is on the screen."""
        self.read()
        return "\n".join(line.rstrip() for line in self.screen.display)

    def wait_for(self, what: str, condition: Callable[[str], Any]) -> str:
        """The screen once the condition holds for it."""
        deadline = monotonic() + DEADLINE
        while monotonic() < deadline:
            text = self.text()
            if condition(text):
                return text
        raise AssertionError(f"waited in vain for {what}; on the screen:\n{self.text()}")

    def shows(self, text: str) -> str:
        """Wait until a text is on the screen."""
        return self.wait_for(repr(text), lambda screen: text in screen)

    def ends(self) -> int:
        """The exit code, once the program has ended."""
        deadline = monotonic() + DEADLINE
        while self.process.poll() is None and monotonic() < deadline:
            self.read()
        self.read()
        return self.process.wait(timeout=1)

    def assert_whole(self) -> None:
        """The terminal is as it was before: modes, screen, cursor, mouse, paste."""
        assert termios.tcgetattr(self._slave) == self.before
        for mode in (b"1049", b"1000", b"1006", b"2004"):
            assert self.raw.rfind(b"\x1b[?" + mode + b"l") > self.raw.rfind(b"\x1b[?" + mode + b"h")
        assert self.raw.rfind(b"\x1b[?25h") > self.raw.rfind(b"\x1b[?25l")
        assert self.raw.rfind(b"\x1b[?7h") > self.raw.rfind(b"\x1b[?7l")

    def close(self) -> None:
        """Hang up."""
        os.close(self.master)
        os.close(self._slave)
        if self.process.poll() is None:
            self.process.wait(timeout=DEADLINE)


def _own_terminal() -> None:
    os.setsid()
    fcntl.ioctl(0, termios.TIOCSCTTY, 0)
