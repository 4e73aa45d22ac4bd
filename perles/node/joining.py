"""A node that joins a cluster by itself: beside it a Dask worker, which the scheduler knows."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Final, NamedTuple

from perles.domain.node_words import FOLDER_VARIABLE, NAME_VARIABLE

LOG: Final = "worker.log"
FIRST_PAUSE: Final = 1.0
LAST_PAUSE: Final = 30.0
"""Seconds between two workers: they end when the scheduler is lost."""
PATIENCE: Final = 20.0
"""Seconds after which it is told that no engine has found the node."""
GRACE: Final = 5.0
"""Seconds for a worker to leave its scheduler before it is killed."""


class Scheduler(NamedTuple):
    """The scheduler of a cluster, with the files that prove who one is, for `tls://`."""

    address: str
    ca: str = ""
    certificate: str = ""
    key: str = ""

    def argv(self) -> list[str]:
        """The command line of a worker."""
        argv = [sys.executable, "-m", "distributed.cli.dask_worker", self.address]
        argv += ["--nthreads", "1", "--memory-limit", "0", "--no-nanny", "--no-dashboard"]
        files = {"ca-file": self.ca, "cert": self.certificate, "key": self.key}
        for name, file in files.items():
            argv += [f"--tls-{name}", os.path.abspath(os.path.expanduser(file))] if file else []
        return argv


def worker_environ(name: str, folder: Path) -> dict[str, str]:
    """The environment of a worker, which finds its node by it."""
    return {**os.environ, NAME_VARIABLE: name, FOLDER_VARIABLE: str(folder)}


async def keep_worker(
    scheduler: Scheduler, name: str, folder: Path, tell: Callable[[str], None]
) -> None:
    """Have a worker until this is cancelled; one that ends is followed by another, and told."""
    pause = FIRST_PAUSE
    while True:
        began = asyncio.get_running_loop().time()
        code = await _worker(scheduler, name, folder)
        why = f"{folder}/{LOG} tells why; another one is started"
        tell(f"the Dask worker for {scheduler.address} ended with {code}: {why}")
        lived = asyncio.get_running_loop().time() - began
        pause = FIRST_PAUSE if lived > LAST_PAUSE else min(2 * pause, LAST_PAUSE)
        await asyncio.sleep(pause)


async def follow_engine(
    found: asyncio.Event, address: str, folder: Path, tell: Callable[[str], None]
) -> None:
    """Tell when an engine has `found` this node, and when none has for `PATIENCE`."""
    try:
        async with asyncio.timeout(PATIENCE):
            await found.wait()
    except TimeoutError:
        tell(
            f"no engine has found this node in {PATIENCE:g}s: one must run with {address} as its "
            f"scheduler; {folder}/{LOG} tells whether that can be reached"
        )
        await found.wait()
    tell("an engine has found this node")


async def _worker(scheduler: Scheduler, name: str, folder: Path) -> int:
    """Run a worker to its end; it ends with the process that waits for it."""
    with (folder / LOG).open("ab") as output:
        worker = await asyncio.create_subprocess_exec(
            *scheduler.argv(),
            stdin=asyncio.subprocess.DEVNULL,
            stdout=output,
            stderr=output,
            env=worker_environ(name, folder),
            cwd=folder,
            start_new_session=True,  # Ctrl-C is for the node: the engine is told by way of this
        )
    try:
        return await worker.wait()
    finally:
        if worker.returncode is None:
            worker.terminate()
            try:
                async with asyncio.timeout(GRACE):
                    await worker.wait()
            except TimeoutError:
                worker.kill()
                await worker.wait()
