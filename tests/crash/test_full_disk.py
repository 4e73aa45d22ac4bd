"""The disk is full for a while, in the middle of turns, or read-only: nothing is lost."""

import errno
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.crash.world import World, tasks, world
from tests.integration.cli import Home

SIZE = 6
"""MiB of the file system that is filled."""


@pytest.fixture
def small_disk(fresh_home: Home, migrated: Path) -> Iterator[Home]:
    """A home on a small file system of its own."""
    fresh_home.root.mkdir(mode=0o700)
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m,mode=700", "perles-test"]
    done = subprocess.run([*mount, fresh_home.root], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        pytest.skip(f"no small file system can be mounted here: {done.stderr.strip()}")
    shutil.copy(migrated, fresh_home.database)
    try:
        yield fresh_home
    finally:
        subprocess.run(["umount", "--lazy", fresh_home.root], check=True)


@pytest.fixture
def small_storm(small_disk: Home) -> Iterator[World]:
    with world(small_disk) as made:
        # What agents print when there is no room is not in their files either.
        made.log = made.home.work / "engine.log"
        yield made


def _fill(filler: Path) -> None:
    """Leave no byte free."""
    with filler.open("ab", buffering=0) as file:
        for piece in (b"\0" * 65536, b"\0"):
            while True:
                try:
                    file.write(piece)
                except OSError as error:
                    if error.errno != errno.ENOSPC:
                        raise
                    break


def _pause_for(key: str) -> str:
    return f"echo {key} begins; until test -e go; do sleep 0.05; done; echo {key} >> effects"


def test_a_disk_that_is_full_during_turns_holds_up_and_loses_nothing(small_storm: World) -> None:
    storm = small_storm
    parallel = [{"key": f"t{n}", "run": _pause_for(f"t{n}")} for n in range(2)]
    last = {"key": "t2", "run": "echo t2 begins; echo t2 >> effects", "after": ["t0", "t1"]}
    id = storm.create([*parallel, last])
    storm.serve()
    for key in ("t0", "t1"):
        storm.wait_for_text(id, f"{key} begins")
    filler = storm.home.root / "filler"

    _fill(filler)
    (storm.home.work / "go").touch()
    storm.wait_for("both effects", lambda: len(_effects(storm)) == 2)
    storm.wait_for("the engine to tell", lambda: "disk is full" in storm.log.read_text())
    filler.unlink()

    storm.finish(id)


def test_an_engine_that_dies_on_a_full_disk_goes_on_when_there_is_room(
    small_storm: World,
) -> None:
    storm = small_storm
    id = storm.create(tasks(2, seconds=0.3))
    storm.serve()
    storm.wait_for_text(id, "t0 begins")
    filler = storm.home.root / "filler"

    _fill(filler)
    storm.kill_engine()
    told = storm.home.perles("serve", "--foreground")
    filler.unlink()

    assert told.returncode == 7, told.stderr
    assert "Traceback" not in told.stderr
    assert "disk is full" in told.stderr.splitlines()[-1]
    storm.serve()
    storm.wait_for_end(id)
    assert sorted(_effects(storm)) == ["t0", "t1"]


def _effects(storm: World) -> list[str]:
    path = storm.home.work / "effects"
    return path.read_text().split() if path.exists() else []


def test_an_engine_is_refused_on_a_disk_that_is_read_only(small_disk: Home) -> None:
    remount = ["mount", "-o", "remount,ro", str(small_disk.root)]
    subprocess.run(remount, check=True)

    told = small_disk.perles("serve", "--foreground")
    listed = small_disk.json("list", "--json")

    assert told.returncode == 7, told.stderr
    assert len(told.stderr.splitlines()) <= 2
    assert "Read-only file system" in told.stderr
    assert listed == []
