"""Starting the process that serves HTTP, and starting it again where it was killed."""

import logging
import subprocess
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

from perles.controlplane import isolated
from perles.controlplane.plane import ControlPlane
from perles.http.settings import address_of, refuse_open, tls_of

log = logging.getLogger("perles.http")

_PAUSES: Final = (0.2, 1.0, 2.0, 5.0, 10.0)
_LASTING_SECONDS: Final = 60.0
_END_SECONDS: Final = 5.0


@contextmanager
def served(plane: ControlPlane) -> Iterator[None]:
    """Meanwhile HTTP is served, where the configuration says so.

    Raises `UsageError` for a configuration by which it cannot be.
    """
    settings = plane.engine_config().http
    address = address_of(settings)
    if address is None:
        yield
        return
    if address.secure:
        tls_of(settings)
    refuse_open(address, has_token=plane.has_token())
    beside = _Beside(plane)
    beside.start()
    try:
        yield
    finally:
        beside.end()


class _Beside(threading.Thread):
    """Keeps the process alive; a thread, as it only waits."""

    def __init__(self, plane: ControlPlane) -> None:
        super().__init__(name="http", daemon=True)
        self._command = isolated.command("perles.http.main")
        self._environ, self._folder = plane.environ(), plane.paths.root
        self._ended = threading.Event()
        self._child: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()

    def run(self) -> None:
        """Start it again and again, until the end."""
        tries = 0
        while True:
            with self._lock:
                if self._ended.is_set():
                    return
                self._child = self._spawn()
            code = self._wait(self._child)
            if self._ended.is_set() or code in (0, 2):
                return  # what is wrong with the configuration was told
            tries = 0 if self._lasted else tries + 1
            pause = _PAUSES[min(tries, len(_PAUSES)) - 1] if tries else _PAUSES[0]
            log.warning("what serves HTTP ended (exit %d), and is started again", code)
            if self._ended.wait(pause):
                return

    def _spawn(self) -> subprocess.Popen[bytes]:
        return subprocess.Popen(
            self._command,
            stdin=subprocess.PIPE,
            stdout=subprocess.DEVNULL,
            env=self._environ,
            cwd=self._folder,
            start_new_session=True,  # Ctrl-C is for the engine, which then ends it
        )

    def _wait(self, child: subprocess.Popen[bytes]) -> int:
        self._lasted = False
        try:
            return child.wait(_LASTING_SECONDS)
        except subprocess.TimeoutExpired:
            self._lasted = True
            return child.wait()

    def end(self) -> None:
        """End it: its pipe is closed, and after a while it is killed."""
        with self._lock:
            self._ended.set()
            child = self._child
        if child is None:
            return
        assert child.stdin is not None
        child.stdin.close()
        try:
            child.wait(_END_SECONDS)
        except subprocess.TimeoutExpired:
            child.kill()
        self.join(_END_SECONDS)
