"""Commands of tasks as forks of one process: its start is paid once, not with each task."""

import json
import os
import resource
import select
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from perles.agents.builtin import fork_server
from perles.executor.contract import SpawnError, Told
from perles.executor.local import watermark

PROGRAM: Final = str(Path(fork_server.__file__))
"""What such a process has as its fourth argument."""
_SOFT_FILES: Final = resource.getrlimit(resource.RLIMIT_NOFILE)[0]
"""The number of open files that this process was given: a command gets it, too."""
_PATIENCE: Final = 10.0
"""Seconds to wait for an answer: a fork takes a millisecond."""


class _Server(NamedTuple):
    """The process, our end of its socket, and what tells that it has ended: its forks keep the
    other end open."""

    process: "subprocess.Popen[bytes]"
    socket: socket.socket
    ended: int

    def has_said_something(self) -> bool:
        """Wait until there is something to read; False where it is gone, or takes too long."""
        either = select.poll()
        either.register(self.socket, select.POLLIN)
        either.register(self.ended, select.POLLIN)
        return self.socket.fileno() in dict(either.poll(_PATIENCE * 1000))


class ForkServer:
    """Starts commands by a process of its own, which is started with the first one."""

    def __init__(self) -> None:
        self._server: _Server | None = None
        self._rest = b""
        self._ended: dict[int, Told] = {}

    def start(self, asked: Mapping[str, Any], output: int, *, turn: str) -> int | None:
        """Start a command whose output goes to this descriptor; the pid of its leader.

        None where the server was killed: it may have started it. Raises `OSError` where it could
        not be forked.
        """
        request = {**asked, "mark": watermark.number_for(turn)}
        body = json.dumps(request).encode()
        message = len(body).to_bytes(4, "big") + body
        if not self._sent(message, output):
            self.close()  # it was killed before: it has not read any of it
            if not self._sent(message, output):
                raise SpawnError("cannot start the process that starts commands")
        kind, _, said = self._answer().partition(" ")
        if kind == "pid":
            return int(said)
        if kind == "error":
            raise OSError(int(said), os.strerror(int(said)))
        if self._server is not None:
            self._server.process.kill()  # whatever it does, it does not start this one later
            self.close()
        return None

    def ended(self, pid: int) -> Told | None:
        """How a command ended that left no status: it could not, or was killed.

        None where nobody knows: it was started by an engine before this one.
        """
        body = json.dumps({"ended": pid}).encode()
        if self._server is not None and self._sent(len(body).to_bytes(4, "big") + body, None):
            answer = self._answer()
            if answer not in ("", f"ended {pid} -1"):
                self._note(answer)
        return self._ended.pop(pid, None)

    def close(self) -> None:
        """Let go of the server, which ends; what it started goes on."""
        if self._server is not None:
            self._server.socket.close()
            os.close(self._server.ended)
            self._server.process.poll()
            self._server.process.returncode = 0  # it may have to wait for what it started
        self._server, self._rest = None, b""

    def _sent(self, message: bytes, output: int | None) -> bool:
        server = self._server or self._begun()
        if server.process.poll() is not None:
            return False
        try:
            fds = [] if output is None else [output]
            sent = socket.send_fds(server.socket, [message], fds)
            server.socket.sendall(message[sent:])
        except OSError:
            return False
        return True

    def _begun(self) -> _Server:
        ours, theirs = socket.socketpair()
        ours.settimeout(_PATIENCE)
        with theirs:
            process = subprocess.Popen(
                [sys.executable, "-I", "-S", PROGRAM, str(_SOFT_FILES)],
                cwd="/",
                env={"PATH": os.defpath},
                stdin=theirs.fileno(),
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                start_new_session=True,
            )
        self._server = _Server(process, ours, os.pidfd_open(process.pid))
        return self._server

    def _answer(self) -> str:
        """The next answer; "" where the server is gone. What forks tell meanwhile is noted."""
        try:
            while self._server is not None:
                while b"\n" not in self._rest:
                    if not self._server.has_said_something():
                        return ""
                    piece = self._server.socket.recv(65_536)
                    if not piece:
                        return ""
                    self._rest += piece
                found, _, self._rest = self._rest.partition(b"\n")
                line = found.decode(errors="replace")
                if not line.startswith("told "):
                    return line
                self._note(line)
        except OSError:
            pass  # it takes too long, or hung up
        return ""

    def _note(self, line: str) -> None:
        """Keep how a command ended: `told PID CODE WORDS`, `ended PID CODE`."""
        _, pid, code, *words = line.split(" ", 3)
        self._ended[int(pid)] = Told(int(code), "".join(words))
