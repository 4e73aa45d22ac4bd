"""Runs `perles` in processes that are forks of one that has imported it already.

Most tests start dozens of short commands, and importing takes longer than what they do. Each is
a process of its own all the same, with its own descriptors, folder, environment and exit status.
What depends on how an interpreter starts is started afresh: see `Home.perles`.
"""

import atexit
import gc
import importlib
import json
import os
import pkgutil
import select
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import threading
from contextlib import closing, suppress
from pathlib import Path
from typing import IO, Any

ROOT = Path(__file__).parents[2]
NUMBER = struct.Struct("!q")


class Forks:
    """The process that is forked, as tests see it."""

    def __init__(self) -> None:
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("PERLES_")}
        self._server: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="perles-forks-")
        self._address = str(Path(self._folder.name) / "socket")

    def _start(self) -> None:
        with closing(socket.socket(socket.AF_UNIX)) as listener:
            listener.bind(self._address)
            listener.listen(64)
            self._server = subprocess.Popen(
                [sys.executable, "-m", __name__, str(listener.fileno())],
                cwd=ROOT,
                env=self.environ,
                pass_fds=[listener.fileno()],
                stdin=subprocess.PIPE,
                stdout=subprocess.DEVNULL,
            )

    def close(self) -> None:
        """End it. What it forked goes on."""
        if self._server is not None:
            self._server.communicate()  # it ends when nobody holds the other end of its input
        self._folder.cleanup()

    def run(
        self, args: list[str], *, cwd: Path, environ: dict[str, str], timeout: float
    ) -> "subprocess.CompletedProcess[str]":
        """What `subprocess.run` does with `perles` and these arguments."""
        if self._server is None:
            self._start()
        request = json.dumps({"args": args, "cwd": str(cwd), "environ": environ}).encode()
        with (
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
            closing(socket.socket(socket.AF_UNIX)) as channel,
        ):
            channel.settimeout(timeout)
            channel.connect(self._address)
            socket.send_fds(channel, [NUMBER.pack(len(request))], [out.fileno(), err.fileno()])
            channel.sendall(request)
            pid = NUMBER.unpack(_receive(channel, NUMBER.size))[0]
            try:
                code = NUMBER.unpack(_receive(channel, NUMBER.size))[0]
            except TimeoutError:
                with suppress(ProcessLookupError):
                    os.kill(pid, signal.SIGKILL)
                raise subprocess.TimeoutExpired(["perles", *args], timeout) from None
            return subprocess.CompletedProcess(["perles", *args], code, _text(out), _text(err))


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="surrogateescape")


def _receive(channel: socket.socket, size: int) -> bytes:
    found = b""
    while len(found) < size:
        piece = channel.recv(size - len(found))
        assert piece, "the process that is forked has ended"
        found += piece
    return found


def serve(listener: socket.socket) -> None:
    """Fork a process for each request, which forks the command and tells how it ended."""
    import perles.cli

    for module in pkgutil.iter_modules(perles.cli.__path__, "perles.cli."):
        importlib.import_module(module.name)
    for name in ("perles.workflows.create", "perles.controlplane.plane"):
        importlib.import_module(name)
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # those that answer are nobody's to wait for
    gc.freeze()
    while sys.stdin not in select.select([listener, sys.stdin], [], [])[0]:
        channel, _ = listener.accept()
        if os.fork() == 0:
            listener.close()
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            _answer(channel)
            os._exit(0)
        channel.close()


def _answer(channel: socket.socket) -> None:
    head, given, _, _ = socket.recv_fds(channel, NUMBER.size, 2)
    request = json.loads(_receive(channel, NUMBER.unpack(head)[0]))
    pid = os.fork()
    if pid == 0:
        channel.close()
        _become(request, *given)
    channel.sendall(NUMBER.pack(pid))
    _, status = os.waitpid(pid, 0)
    channel.sendall(NUMBER.pack(os.waitstatus_to_exitcode(status)))


def _become(request: dict[str, Any], out: int, err: int) -> None:
    """Be the command: this does not return."""
    from perles.cli.main import main

    code: Any = 1
    try:
        for given, own in ((os.open(os.devnull, os.O_RDONLY), 0), (out, 1), (err, 2)):
            os.dup2(given, own)
            os.close(given)
        os.chdir(request["cwd"])
        os.environ.clear()
        os.environ.update(request["environ"])
        sys.argv = ["perles", *request["args"]]
        main()
    except SystemExit as end:
        code = end.code
    finally:
        threading._shutdown()  # type: ignore[attr-defined]  # as an interpreter that ends does
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
        os._exit(code if isinstance(code, int) else int(code is not None))


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
