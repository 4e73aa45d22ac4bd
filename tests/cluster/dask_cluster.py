"""A Dask scheduler and workers on loopback, each worker as if on a machine of its own."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import psutil

DEADLINE = 180.0


def wait_for(what: str, is_so: Callable[[], Any], seconds: float = DEADLINE) -> Any:
    """What `is_so` gives, once that is true."""
    ends = time.monotonic() + seconds
    while time.monotonic() < ends:
        found = is_so()
        if found:
            return found
        time.sleep(0.05)
    raise AssertionError(f"no {what} within {seconds:g} s")


class DaskCluster:
    """Processes in `folder`, which has their logs; all are ended by `close`."""

    def __init__(
        self,
        folder: Path,
        *,
        log_level: str = "warning",
        host: str = "127.0.0.1",
        protocol: str = "tcp",
    ) -> None:
        self.folder, self.host, self.protocol = folder, host, protocol
        self.started: list[subprocess.Popen[bytes]] = []
        self.environ = {
            **{k: v for k, v in os.environ.items() if not k.startswith(("PERLES_", "COVERAGE"))},
            "DASK_LOGGING__DISTRIBUTED": log_level,
            "DASK_DISTRIBUTED__COMM__TIMEOUTS__CONNECT": "5s",
        }
        self.port = 0
        self.scheduler: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> str:
        """Of the scheduler."""
        return f"{self.protocol}://{self.host}:{self.port}"

    def start_scheduler(self) -> None:
        """Start it, at the port that it had before."""
        where = self.folder / "scheduler.json"
        where.unlink(missing_ok=True)
        arguments = ["--host", self.host, "--port", str(self.port), "--no-dashboard"]
        arguments += ["--protocol", self.protocol]
        arguments += ["--no-show", "--scheduler-file", str(where)]
        self.scheduler = self._popen("scheduler", "distributed.cli.dask_scheduler", arguments)
        found = wait_for("scheduler", lambda: where.exists() and where.read_text())
        self.port = int(found.partition(f"{self.protocol}://{self.host}:")[2].partition('"')[0])

    def start_worker(
        self,
        name: str,
        node: Path,
        *,
        nanny: bool = True,
        host: str = "127.0.0.1",
        prefix: tuple[str, ...] = (),
        **environ: str,
    ) -> subprocess.Popen[bytes]:
        """A worker of the node `name`, whose files are in `node`; `prefix` begins its command."""
        arguments = [self.address, "--host", host, "--nthreads", "1", "--no-dashboard"]
        arguments += ["--memory-limit", "0", "--nanny" if nanny else "--no-nanny"]
        arguments += ["--local-directory", str(self.folder / "scratch")]
        environ = {"PERLES_NODE_NAME": name, "PERLES_NODE_DIR": str(node), **environ}
        number = len(self.started)
        return self._popen(
            f"{name}-{number}", "distributed.cli.dask_worker", arguments, environ, prefix
        )

    def start_echo(self, name: str, node: Path) -> subprocess.Popen[bytes]:
        """A node that only says what it was asked."""
        made = self._popen(f"echo-{name}", "tests.cluster.echo_node", [str(node), name])
        wait_for("node", (node / "node.sock").exists)
        return made

    def _popen(
        self,
        name: str,
        module: str,
        arguments: list[str],
        environ: dict[str, str] | None = None,
        prefix: tuple[str, ...] = (),
    ) -> subprocess.Popen[bytes]:
        with (self.folder / f"{name}.log").open("ab") as log:
            made = subprocess.Popen(
                [*prefix, sys.executable, "-m", module, *arguments],
                env={**self.environ, **(environ or {})},
                cwd=Path(__file__).parents[2],
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )
        self.started.append(made)
        return made

    def logs(self) -> str:
        """What all of them logged."""
        return "".join(path.read_text() for path in sorted(self.folder.glob("*.log")))

    def close(self) -> None:
        """End all that was started, with its children."""
        for process in reversed(self.started):
            kill_all(process)


def kill_all(process: subprocess.Popen[bytes]) -> None:
    """SIGKILL for a process and its children: a nanny and its worker."""
    if process.poll() is None:
        children = psutil.Process(process.pid).children(recursive=True)
        process.send_signal(signal.SIGKILL)
        for child in children:
            if child.is_running():
                child.kill()
    process.wait()
