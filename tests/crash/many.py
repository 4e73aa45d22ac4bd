"""Many workflows, one after another, by one engine: `python -m tests.crash.many N`.

Tells what the engine holds (descriptors, threads, sockets, memory) as they go by, and how large
the database is before and after they are pruned. Exit status 1 where something grew.
"""

import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Final, NamedTuple

import psutil

from perles.store import migrate
from tests.crash.world import World, world
from tests.integration.cli import Home

AT_ONCE: Final = 10
LOOKS: Final = 20
MOST_MORE: Final = 10
"""Descriptors, threads or sockets more than at the first look."""
MOST_BYTES: Final = 32 * 1024 * 1024


class Held(NamedTuple):
    """What the engine holds while nothing runs."""

    descriptors: int
    threads: int
    sockets: int
    memory: int

    @classmethod
    def by(cls, made: World) -> "Held":
        """The engine's, now."""
        assert made.engine is not None
        process = psutil.Process(made.engine.pid)
        sockets = len(process.net_connections("inet"))
        return cls(process.num_fds(), process.num_threads(), sockets, process.memory_info().rss)

    def __str__(self) -> str:
        return (
            f"{self.descriptors} descriptors, {self.threads} threads, {self.sockets} sockets, "
            f"{self.memory / 2**20:.0f} MiB"
        )


def _run(made: World, count: int) -> None:
    tasks = [{"key": "a", "run": "echo a line"}]
    ids = [made.create(tasks, workers=1) for _ in range(count)]
    for id in ids:
        made.wait_for_end(id)


def _size(home: Home) -> str:
    wal = home.database.with_name("perles.db-wal").stat().st_size
    size = home.database.stat().st_size
    kept = sum(1 for path in (home.root / "sessions").rglob("*") if path.is_file())
    return f"database {size / 2**20:.1f} MiB, its WAL {wal / 2**20:.1f}, sessions {kept} files"


def main(wanted: int) -> int:
    """Run so many; the exit status."""
    folder = Path(tempfile.mkdtemp(prefix="perles-many-"))
    home = Home(folder)
    home.root.mkdir(mode=0o700)
    limit = "PERLES_CONTROL_PLANE__RESOURCE_POLICY__MAX_WORKFLOWS_RUNNING"
    home.environ[limit] = str(AT_ONCE)
    migrate.ensure(home.database)
    looks: list[Held] = []
    with world(home) as made:
        made.serve()
        made.wait_for_engine()
        _run(made, 2 * AT_ONCE)  # what is loaded when it is needed first
        looks.append(Held.by(made))
        print(f"{0:5}: {looks[0]}", flush=True)
        step = max(AT_ONCE, wanted // LOOKS)
        for done in range(step, wanted + 1, step):
            _run(made, step)
            looks.append(Held.by(made))
            print(f"{done:5}: {looks[-1]}", flush=True)
        print(f"before prune: {_size(home)}")
        for words in (("prune", "--older-than", "0s"), ("vacuum",)):
            assert home.perles("maintenance", *words, timeout=3600).returncode == 0
            print(f"after {words[0]}: {_size(home)}")
    shutil.rmtree(folder, ignore_errors=True)
    first, last = looks[0], looks[-1]
    counts = [later - before for before, later in zip(first[:3], last[:3], strict=True)]
    flat = max(counts) <= MOST_MORE and last.memory - first.memory <= MOST_BYTES
    print("flat" if flat else "it grew")
    return 0 if flat else 1


if __name__ == "__main__":
    try:
        sys.exit(main(int(sys.argv[1])))
    except subprocess.TimeoutExpired as error:
        sys.exit(f"it took too long: {error}")
