"""Storm after storm, until so many kills have hit: `python -m tests.crash.soak N [SEED]`.

Prints a line a storm, and at the end how many there were. The first storm after
which something is lost, doubled or left behind ends it: its home folder is kept.
"""

import os
import shutil
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

from perles.store import migrate
from tests.crash.storm import Storm
from tests.crash.world import world
from tests.integration.cli import Home

KILLS = 8
"""Kills in one storm."""


def main(wanted: int, seed: int) -> int:
    """Run until `wanted` kills have hit; the exit status."""
    killed: Counter[str] = Counter()
    begun, storms = time.monotonic(), 0
    while killed.total() < wanted:
        folder = Path(tempfile.mkdtemp(prefix="perles-soak-"))
        storm = _storm(folder, seed + storms)
        if storm is None:
            print(f"seed {seed + storms} failed; its home: {folder / 'home'}")
            return 1
        storms += 1
        killed += Counter(storm)
        print(f"seed {seed + storms - 1}: {dict(storm)}; {killed.total()} of {wanted}", flush=True)
        shutil.rmtree(folder)
    minutes = (time.monotonic() - begun) / 60
    print(f"{killed.total()} kills in {storms} workflows in {minutes:.1f} min: {dict(killed)}")
    print("none lost, none doubled, none left behind")
    return 0


def _storm(folder: Path, seed: int) -> dict[str, int] | None:
    """What one storm hit; None where something went wrong, which is printed."""
    home = Home(folder)
    home.root.mkdir(mode=0o700)
    migrate.ensure(home.database)
    with world(home) as made:
        made.follow()
        storm = Storm(made, seed, kills=KILLS)
        try:
            storm.run()
        except (AssertionError, OSError) as error:
            print(f"{type(error).__name__}: {error}")
            return None
    return storm.killed


if __name__ == "__main__":
    first = int(sys.argv[2]) if len(sys.argv) > 2 else int.from_bytes(os.urandom(3), "big")
    sys.exit(main(int(sys.argv[1]), first))
