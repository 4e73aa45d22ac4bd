"""The process that is forked for each command and engine of the tests: see `forks.py`.

A request is its length, then JSON (arguments, folder, environment), with the descriptors 0, 1
and 2 of the new process. The answer is its pid, and later how it ended, as `waitpid` tells it.
"""

import atexit
import gc
import importlib
import json
import marshal
import os
import pkgutil
import select
import signal
import socket
import sys
import threading
import traceback
from contextlib import nullcontext, suppress
from pathlib import Path
from typing import Any, NoReturn

import coverage

from perles.engine import crash_points
from tests.integration.forks import COVERAGE, NUMBER, Forks, forked_engines, receive

STAND_IN = Path(__file__).with_name("fork_stand_in.py")
_ROOMS = ("cli", "engine", "controlplane", "executor.local", "agents", "templates", "http")
_FREE = 9
"""A descriptor that the shell of a watchdog does not use itself."""
_ENGINE = 5
"""Where a watchdog's command line begins to be its engine's."""


def serve(listener: socket.socket) -> None:
    """Fork a process for each request, and tell how it ended."""
    for room in _ROOMS:
        _import_all(f"perles.{room}")
    source = _Source(listener)
    gc.freeze()
    while sys.stdin not in (ready := source.ready()):
        if listener in ready:
            source.fork()
        source.tell()


def _import_all(package: str) -> None:
    found = importlib.import_module(package)
    for module in pkgutil.walk_packages(found.__path__, f"{package}."):
        if not module.name.endswith((".main", "__main__")) or module.name == "perles.cli.main":
            importlib.import_module(module.name)


class _Source:
    """Forks, and what has to be told of those that have not ended yet."""

    def __init__(self, listener: socket.socket) -> None:
        self._listener = listener
        self._forks = Forks(listener.getsockname())
        self._channels: dict[int, socket.socket] = {}
        self._ended, write = os.pipe()
        os.set_blocking(write, False)
        signal.set_wakeup_fd(write, warn_on_full_buffer=False)
        signal.signal(signal.SIGCHLD, lambda *_: None)

    def ready(self) -> list[Any]:
        """Wait for a request, the end of a fork, or that nobody needs this any more."""
        return select.select([self._listener, self._ended, sys.stdin], [], [])[0]

    def fork(self) -> None:
        """Take a request, and fork its process."""
        channel, _ = self._listener.accept()
        head, files, _, _ = socket.recv_fds(channel, NUMBER.size, 3)
        request = json.loads(receive(channel, NUMBER.unpack(head)[0]))
        pid = os.fork()
        if pid == 0:
            signal.set_wakeup_fd(-1)
            signal.signal(signal.SIGCHLD, signal.SIG_DFL)
            for one in (self._listener, channel, *self._channels.values()):
                one.close()
            os.close(self._ended)
            _become(self._forks, request, files)
        for file in files:
            os.close(file)
        self._channels[pid] = channel
        _send(channel, pid)

    def tell(self) -> None:
        """Tell of all that have ended."""
        if select.select([self._ended], [], [], 0)[0]:
            os.read(self._ended, 1024)
        while self._channels:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                break
            with self._channels.pop(pid) as channel:
                _send(channel, status)


def _send(channel: socket.socket, number: int) -> None:
    with suppress(OSError):  # nobody needs to wait for it
        channel.sendall(NUMBER.pack(number))


def _become(forks: Forks, request: dict[str, Any], files: list[int]) -> None:
    """Be the program: this does not return."""
    code = 1
    try:
        if request["session"]:
            os.setsid()
        for own, given in enumerate(files):
            os.dup2(given, own)
            os.close(given)
        os.chdir(request["cwd"])
        argv, environ = request["argv"], request["environ"]
        if argv[0] == "/bin/sh":
            code = _be_watchdog(argv, environ)
        else:
            with forked_engines(forks) if request["engines"] else nullcontext():
                code = _main(argv, environ)
    except BaseException:
        traceback.print_exc()
        sys.stderr.flush()
    finally:
        os._exit(code)


def _be_watchdog(argv: list[str], environ: dict[str, str]) -> int:
    """Be a watchdog, whose first engine is a fork that is its child: returns in that alone."""
    channel, its = socket.socketpair()
    if os.fork() != 0:
        _exec_watchdog(argv, environ, its)
    its.close()
    return _be_engine(channel)


def _exec_watchdog(argv: list[str], environ: dict[str, str], its: socket.socket) -> NoReturn:
    os.dup2(its.fileno(), _FREE)
    os.set_inheritable(_FREE, True)
    for number in (signal.SIGPIPE, signal.SIGXFSZ):
        signal.signal(number, signal.SIG_DFL)
    stand_in = [sys.executable, "-I", "-S", str(STAND_IN), str(_FREE)]
    os.execve(argv[0], [*argv[:_ENGINE], *stand_in, *argv[_ENGINE:]], environ)


def _be_engine(channel: socket.socket) -> int:
    """Run the engine that a watchdog starts, as told by what stands in for it; the exit code."""
    try:
        size = NUMBER.unpack(receive(channel, NUMBER.size))[0]
    except AssertionError:
        return 0  # the watchdog was killed before
    environ, command = marshal.loads(receive(channel, size))
    code = _main(command[command.index("perles") :], environ)
    with suppress(OSError):
        channel.sendall(NUMBER.pack(code))
    return code


def _main(argv: list[str], environ: dict[str, str]) -> int:
    """Run the command line, and all that an interpreter does when it ends; the exit code."""
    from perles.cli.main import main

    code: Any = 1
    try:
        os.environ.clear()
        os.environ.update(environ)
        if "PYTHONPATH" in environ:
            sys.path[1:1] = environ["PYTHONPATH"].split(os.pathsep)
        if "PERLES_FAULT" in environ:
            importlib.reload(crash_points)  # it reads this when it is imported
        if COVERAGE in environ:
            coverage.process_startup()  # as its hook does where an interpreter starts
        sys.argv = argv
        main()
    except SystemExit as end:
        code = end.code
    finally:
        threading._shutdown()  # type: ignore[attr-defined]
        atexit._run_exitfuncs()
        for stream in (sys.stdout, sys.stderr):
            with suppress(OSError, ValueError):
                stream.flush()
    return code if isinstance(code, int) else int(code is not None)


if __name__ == "__main__":
    serve(socket.socket(fileno=int(sys.argv[1])))
