"""Running one program to its end: bounded in time and output, and nothing of it is left.

It blocks: it belongs neither on an event loop nor into a transaction.
"""

import os
import select
import signal
import subprocess
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Final, NamedTuple

_CHUNK: Final = 64 * 1024


class Bounds(NamedTuple):
    """How long a program may run, and how many bytes of what it prints are kept.

    One that prints more is ended, unless `tail` is set: then the last bytes are kept.
    """

    seconds: float
    most: int
    tail: bool = False


class Ended(NamedTuple):
    """How a program ended: its exit code (-N for signal N), what it printed and said of errors.

    `code` is None where its time was up. `cut` tells that it printed more than is kept.
    """

    code: int | None
    out: bytes
    err: bytes
    cut: bool = False


def run_program(
    argv: Sequence[str],
    *,
    cwd: Path,
    env: Mapping[str, str],
    bounds: Bounds,
    given: bytes | None = None,
    together: bool = False,
) -> Ended:
    """Run a program in a session of its own; `given` is its input. Raises `OSError`.

    With `together` its errors stand in its output, in order. What it started is ended with it:
    nobody waits for a child that keeps its output open.
    """
    process = subprocess.Popen(
        argv,
        cwd=cwd,
        env=env,
        stdin=subprocess.DEVNULL if given is None else subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT if together else subprocess.PIPE,
        start_new_session=True,
    )
    try:
        return _Watch(process, bounds, given).run()
    finally:
        end_group(process)
        for pipe in (process.stdin, process.stdout, process.stderr):
            if pipe is not None:
                _close(pipe)


def end_group(process: "subprocess.Popen[bytes]") -> None:
    """End a program that leads a session, with all that it started in it; take its status."""
    if process.returncode is None:  # until its status is taken, the number is its own
        try:
            os.killpg(process.pid, signal.SIGKILL)
        except ProcessLookupError:
            pass  # all of it has ended
        process.wait()


def _close(pipe: IO[bytes]) -> None:
    try:
        pipe.close()
    except BrokenPipeError:
        return  # it did not read all that it was given


class _Watch:
    """Moves bytes from and to a program, until it has ended or a bound is reached."""

    def __init__(
        self, process: "subprocess.Popen[bytes]", bounds: Bounds, given: bytes | None
    ) -> None:
        self._process, self._bounds = process, bounds
        self._left = memoryview(given or b"")
        self._deadline = time.monotonic() + bounds.seconds
        assert process.stdout is not None
        self._out, self._err = bytearray(), bytearray()
        self._into = {process.stdout.fileno(): self._out}
        if process.stderr is not None:
            self._into[process.stderr.fileno()] = self._err
        self._cut = False

    def run(self) -> Ended:
        """Watch it to its end."""
        pidfd = os.pidfd_open(self._process.pid)
        try:
            has_ended = self._watch(pidfd)
        finally:
            os.close(pidfd)
        code = None
        if has_ended:
            end = os.waitid(os.P_PID, self._process.pid, os.WEXITED | os.WNOWAIT)
            assert end is not None
            code = end.si_status if end.si_code == os.CLD_EXITED else -end.si_status
        elif self._cut:
            code = -signal.SIGKILL
        return Ended(code, bytes(self._out), bytes(self._err), self._cut)

    def _watch(self, pidfd: int) -> bool:
        """Whether it ended by itself."""
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        for descriptor in self._into:
            os.set_blocking(descriptor, False)
            poll.register(descriptor, select.POLLIN)
        stdin = self._process.stdin
        if stdin is not None:
            os.set_blocking(stdin.fileno(), False)
            poll.register(stdin.fileno(), select.POLLOUT)
        while (left := self._deadline - time.monotonic()) > 0:
            for descriptor, _ in poll.poll(left * 1000):
                if descriptor == pidfd:
                    self._drain()
                    return True
                if stdin is not None and not stdin.closed and descriptor == stdin.fileno():
                    if self._give(stdin):
                        poll.unregister(descriptor)
                        _close(stdin)
                elif self._read(descriptor) == 0:
                    poll.unregister(descriptor)
            if self._cut and not self._bounds.tail:
                return False
        return False

    def _drain(self) -> None:
        """Read what it has left behind, as far as that is there now."""
        for descriptor in self._into:
            while self._read(descriptor):
                if self._cut and not self._bounds.tail:
                    return

    def _give(self, stdin: IO[bytes]) -> bool:
        """Hand over a piece of its input; whether that was all."""
        try:
            self._left = self._left[os.write(stdin.fileno(), self._left[:_CHUNK]) :]
        except BrokenPipeError:
            return True  # it does not want the rest
        except BlockingIOError:
            return False
        return not self._left

    def _read(self, descriptor: int) -> int:
        """Read a piece; how many bytes, 0 at the end or where there is nothing now."""
        try:
            piece = os.read(descriptor, _CHUNK)
        except BlockingIOError:
            return 0
        into = self._into[descriptor]
        into += piece
        over = len(self._out) + len(self._err) - self._bounds.most
        if over > 0:
            self._cut = True
            if self._bounds.tail:
                del into[: min(over, len(into))]
        return len(piece)
