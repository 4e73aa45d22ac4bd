"""Runs `perles` in processes that are forks of one that has imported it already.

The tests start thousands of commands and engines, and importing takes longer than what most of
them do. Each is a process of its own all the same, with its own descriptors, folder, environment,
parent's watchdog and exit status. What depends on how an interpreter starts is started afresh:
see `Home.perles` and the mark `afresh`. The process that is forked: `fork_source.py`.
"""

import json
import os
import select
import socket
import struct
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from pathlib import Path
from typing import IO, Any

from perles.controlplane import engine_host
from perles.engine import watchdog

ROOT = Path(__file__).parents[2]
NUMBER = struct.Struct("!q")
COVERAGE = "COVERAGE_PROCESS_CONFIG"
"""The variable that has a Python program measure itself; a fork does so, too."""
_OF_INTERPRETERS = ("PYTHON", "LANG", "LC_", "LD_", "TZ")
"""How names of variables begin that count when an interpreter starts."""


class Forks:
    """The process that is forked, as tests and its own forks see it."""

    def __init__(self, address: str | None = None) -> None:
        self.environ = {k: v for k, v in os.environ.items() if not k.startswith("PERLES_")}
        self._server: subprocess.Popen[bytes] | None = None
        self._folder = tempfile.TemporaryDirectory(prefix="perles-forks-") if not address else None
        self._address = address or str(Path(self._folder.name) / "socket")  # type: ignore[union-attr]

    def _start(self) -> None:
        with closing(socket.socket(socket.AF_UNIX)) as listener:
            listener.bind(self._address)
            listener.listen(64)
            self._server = subprocess.Popen(
                [sys.executable, "-m", "tests.integration.fork_source", str(listener.fileno())],
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
        if self._folder is not None:
            self._folder.cleanup()

    def start_alike(self, environ: Mapping[str, str]) -> bool:
        """Whether an interpreter would start in this environment as the forked one did.

        Folders of `PYTHONPATH` are where a fork looks for modules, too.
        """
        folders = environ.get("PYTHONPATH", "").split(os.pathsep)
        return not any(Path(folder, "sitecustomize.py").exists() for folder in folders) and all(
            environ.get(name) == self.environ.get(name)
            for name in environ.keys() | self.environ.keys()
            if name.startswith(_OF_INTERPRETERS) and name != "PYTHONPATH"
        )

    def request(self, asked: dict[str, Any], files: list[int]) -> tuple[socket.socket, int]:
        """Have a process forked with these files as 0, 1, 2: where its end is told, and its pid."""
        if self._server is None and self._folder is not None:
            self._start()
        body = json.dumps(asked).encode()
        channel = socket.socket(socket.AF_UNIX)
        try:
            channel.connect(self._address)
            socket.send_fds(channel, [NUMBER.pack(len(body))], files)
            channel.sendall(body)
            return channel, NUMBER.unpack(receive(channel, NUMBER.size))[0]
        except BaseException:
            channel.close()
            raise

    def run(
        self,
        args: list[str],
        *,
        cwd: Path,
        environ: dict[str, str],
        timeout: float,
        engines: bool = True,
    ) -> "subprocess.CompletedProcess[str]":
        """What `subprocess.run` does with `perles` and these arguments."""
        with (
            tempfile.TemporaryFile() as out,
            tempfile.TemporaryFile() as err,
            Forked(
                self,
                ["perles", *args],
                engines=engines,
                stdin=subprocess.DEVNULL,
                stdout=out,
                stderr=err,
                cwd=cwd,
                env=environ,
            ) as forked,
        ):
            try:
                forked.wait(timeout)
            except subprocess.TimeoutExpired:
                forked.kill()
                raise
            return subprocess.CompletedProcess(
                forked.args, forked.returncode, _text(out), _text(err)
            )


class Forked(subprocess.Popen[Any]):
    """A process that was forked: `perles` with its arguments, or the watchdog of an engine.

    Engines that the command starts on their own are forks, too, where `engines` says so.
    """

    def __init__(
        self, forks: Forks, argv: list[str], *, engines: bool = True, **options: Any
    ) -> None:
        self._forks = forks
        self._engines = engines
        self._channel: socket.socket | None = None
        super().__init__(argv, **options)

    def _execute_child(self, argv: Any, *given: Any) -> None:
        cwd, environ = given[4:6]
        ends = given[9:15]
        new_session = given[20]
        files = [end if end != -1 else own for own, end in enumerate((ends[0], ends[3], ends[5]))]
        asked = {
            "argv": [str(word) for word in argv],
            "cwd": os.path.abspath(cwd or "."),
            "environ": dict(os.environ if environ is None else environ),
            "session": new_session,
            "engines": self._engines,
        }
        self._channel, self.pid = self._forks.request(asked, files)
        self._child_created = True
        self._close_pipe_fds(*ends)  # type: ignore[attr-defined]

    def _wait(self, timeout: float | None) -> int:
        if not self._has_ended(timeout):
            raise subprocess.TimeoutExpired(self.args, timeout or 0)
        return self.returncode

    def _internal_poll(self, *_given: Any, **_named: Any) -> int | None:
        return self.returncode if self._has_ended(0) else None

    def _has_ended(self, timeout: float | None) -> bool:
        if self.returncode is not None:
            return True
        assert self._channel is not None
        if not select.select([self._channel], [], [], timeout)[0]:
            return False
        with self._waitpid_lock:  # type: ignore[attr-defined]
            if self.returncode is None:  # no other thread took it
                status = NUMBER.unpack(receive(self._channel, NUMBER.size))[0]
                self.returncode = os.waitstatus_to_exitcode(status)
        return True

    def __del__(self, *given: Any, **named: Any) -> None:
        super().__del__(*given, **named)
        if self._channel is not None:
            self._channel.close()


class _Subprocess:
    """Stands for the module `subprocess` where engines are started on their own."""

    def __init__(self, forks: Forks) -> None:
        self._forks = forks

    def __getattr__(self, name: str) -> Any:
        return getattr(subprocess, name)

    def Popen(self, argv: list[str], **options: Any) -> "subprocess.Popen[Any]":  # noqa: N802
        """A fork, where it is an engine's watchdog whose interpreter would start as ours did."""
        if argv[3:4] == [watchdog.NAME] and self._forks.start_alike(options["env"]):
            return Forked(self._forks, argv, **options)
        return subprocess.Popen(argv, **options)


@contextmanager
def forked_engines(forks: Forks) -> Iterator[None]:
    """Meanwhile what this process starts as engines of their own are forks."""
    names = vars(engine_host)
    names["subprocess"] = _Subprocess(forks)
    try:
        yield
    finally:
        names["subprocess"] = subprocess


def _text(file: IO[bytes]) -> str:
    file.seek(0)
    return file.read().decode(errors="surrogateescape")


def receive(channel: socket.socket, size: int) -> bytes:
    """So many bytes."""
    found = b""
    while len(found) < size:
        piece = channel.recv(size - len(found))
        assert piece, "the process that is forked has ended"
        found += piece
    return found
