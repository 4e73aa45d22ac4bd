"""A Dask cluster over SSH: the scheduler on the first machine, and a worker on each.

Each host has a keeper: what ends there, or cannot be reached, is started again, and holds up no
other host. All connections are encrypted, by certificates that are made for each start where the
configuration names none. OpenSSH's client is used, so that its own settings hold.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import re
import shlex
import sys
from collections import deque
from collections.abc import Mapping, Sequence
from typing import Any, Final

from perles.cluster.certificates import environ_of
from perles.config.cluster import Cluster
from perles.domain.errors import ClusterError
from perles.domain.node_words import node_name

log = logging.getLogger("perles.engine")

SSH: Final = (
    "ssh", "-T", "-oBatchMode=yes", "-oConnectTimeout=10", "-oServerAliveInterval=5",
    "-oServerAliveCountMax=3", "-oLogLevel=ERROR",
)  # fmt: skip
START_SECONDS: Final = 75.0
"""How long a machine may take until it serves: its shell may have much to do first."""
END_SECONDS: Final = 5.0
PAUSES: Final = (1.0, 2.0, 5.0, 10.0)
"""Seconds between tries with a host: the last one goes on."""
NO_SUCH_PROGRAM: Final = 127
_MISSING: Final = re.compile(r"No module named '?([\w.]+)")


class Remote:
    """A program of ours on another machine, for as long as this end lives."""

    def __init__(self, host: str, python: str) -> None:
        self.host, self._python = host, python or sys.executable
        self._process: asyncio.subprocess.Process | None = None
        self._errors: deque[str] = deque(maxlen=20)
        self._reading: asyncio.Task[None] | None = None

    async def start(self, environ: Mapping[str, str], scheduler: str) -> dict[str, Any]:
        """What it tells of itself once it serves. Raises `ClusterError`."""
        command = shlex.join([self._python, "-m", "perles.cluster.remote"])
        pipe = asyncio.subprocess.PIPE
        try:
            self._process = await asyncio.create_subprocess_exec(
                *SSH, "--", self.host, f"exec {command}",
                stdin=pipe, stdout=pipe, stderr=pipe, start_new_session=True,
            )  # fmt: skip
        except OSError as error:
            raise ClusterError(f"cannot start ssh: {error}; install OpenSSH's client") from error
        self._reading = asyncio.ensure_future(self._read_errors(self._process))
        line = json.dumps({"environ": dict(environ), "scheduler": scheduler})
        try:
            async with asyncio.timeout(START_SECONDS):
                return await self._told(self._process, f"{line}\n".encode())
        except TimeoutError as error:
            text = f"cannot use {self.host}: it did not answer in {START_SECONDS:g} s"
            raise ClusterError(text) from error

    async def _told(self, process: asyncio.subprocess.Process, line: bytes) -> dict[str, Any]:
        assert process.stdin is not None
        assert process.stdout is not None
        with contextlib.suppress(ConnectionError):  # that it has ended is told below
            process.stdin.write(line)
            await process.stdin.drain()
        answer = await process.stdout.readline()
        try:
            told = json.loads(answer)
        except ValueError:
            told = None
        if isinstance(told, dict) and "address" in told:
            return told
        raise ClusterError(f"cannot use {self.host}: {await self._why(process)}")

    async def ended(self) -> str:
        """Why it has ended, once it has."""
        assert self._process is not None
        return await self._why(self._process)

    async def close(self) -> None:
        """End it: it ends when its input does, and is not waited for where the cable is cut."""
        process = self._process
        if process is None:
            return
        assert process.stdin is not None
        process.stdin.close()
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(END_SECONDS):
                await process.wait()
        if process.returncode is None:
            process.kill()
            await process.wait()
        if self._reading is not None:
            self._reading.cancel()

    async def _read_errors(self, process: asyncio.subprocess.Process) -> None:
        assert process.stderr is not None
        while data := await process.stderr.read(4096):
            self._errors.extend(data.decode(errors="replace").splitlines())

    async def _why(self, process: asyncio.subprocess.Process) -> str:
        code = await process.wait()
        if self._reading is not None:
            await asyncio.wait([self._reading], timeout=1.0)
        return in_words(code, self._errors, self._python)


def in_words(code: int, errors: Sequence[str], python: str) -> str:
    """Why a program over SSH has ended, by its exit code and by what it printed last."""
    text = "\n".join(errors)
    if code == NO_SUCH_PROGRAM:
        return f"there is no {python} on it: cluster.python names the Python there"
    missing = _MISSING.findall(text)
    if missing:
        return f"its {python} has no {missing[-1]}: pip install 'perles[cluster]' there"
    last = next((line.strip() for line in reversed(errors) if line.strip()), "")
    return last[:300] or f"ssh ended with exit code {code}"


class SshCluster:
    """The cluster. For one event loop."""

    def __init__(self, settings: Cluster, security: Any) -> None:
        self.security = security
        self.scheduler_address = ""
        self._settings, self._environ = settings, environ_of(security)
        self._scheduler = Remote(settings.ssh[0], settings.python)
        self._keepers: list[asyncio.Task[None]] = []
        self._problems: dict[str, str] = {}
        self._names = {host: node_name(host.rpartition("@")[2]) for host in settings.ssh}

    async def start(self) -> None:
        """Start the scheduler, and begin with the workers. Raises `ClusterError`."""
        try:
            told = await self._scheduler.start(self._environ, "")
        except ClusterError:
            await self._scheduler.close()
            raise
        self.scheduler_address = told["address"]
        for host in dict.fromkeys(self._settings.ssh):
            self._keepers.append(asyncio.ensure_future(self._keep(host)))

    def problems(self) -> dict[str, str]:
        """By node, why its machine has no worker."""
        return {self._names[host]: text for host, text in self._problems.items()}

    async def close(self) -> None:
        """End all of it."""
        for keeper in self._keepers:
            keeper.cancel()
        await asyncio.gather(*self._keepers, return_exceptions=True)
        await self._scheduler.close()

    async def _keep(self, host: str) -> None:
        """Have a worker on a machine for as long as the cluster is there."""
        tries = 0
        while True:
            remote = Remote(host, self._settings.python)
            try:
                told = await remote.start(self._environ, self.scheduler_address)
                self._names[host], tries = told["node"], 0
                self._tell(host, "")
                self._tell(host, f"its Dask worker ended: {await remote.ended()}")
            except ClusterError as error:
                self._tell(host, str(error))
            finally:
                await remote.close()
            await asyncio.sleep(PAUSES[min(tries, len(PAUSES) - 1)])
            tries += 1

    def _tell(self, host: str, problem: str) -> None:
        if problem and problem != self._problems.get(host):
            log.warning("%s", problem if host in problem else f"{host}: {problem}")
        if problem:
            self._problems[host] = problem
        else:
            self._problems.pop(host, None)
