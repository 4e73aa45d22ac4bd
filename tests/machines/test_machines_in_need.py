"""A node whose disk is full, and one whose clock is an hour off: nothing fails or is doubled."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perles.keeper.main import SOCKET_NAME
from tests.integration.nodes import stop_nodes
from tests.integration.test_work_on_nodes import NODES, Machines

SIZE = 300
"""MiB of the disk: more than what counts as full."""
AHEAD = "import time; real = time.time; time.time = lambda: real() + {seconds}"


@pytest.fixture
def small(tmp_path: Path) -> Iterator[Path]:
    """The folder of box1, a small disk of its own."""
    folder = tmp_path / NODES[0]
    folder.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", f"size={SIZE}m", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("NO DISK CAN BE MOUNTED HERE")
    yield folder
    (folder / SOCKET_NAME).unlink(missing_ok=True)  # the keeper of its ports ends without it
    subprocess.run(["umount", "--lazy", str(folder)], check=True)


def _begun(tmp_path: Path) -> Machines:
    machines = Machines(tmp_path)
    machines.start()
    machines.home.wait_for("the nodes", lambda: _ready(machines) == set(NODES))
    return machines


def _ready(machines: Machines) -> set[str]:
    return {one["name"] for one in machines.home.json("nodes", "--json") if one["state"] == "ready"}


def _end(machines: Machines) -> None:
    machines.close()
    stop_nodes(machines.root)


def _fill(folder: Path) -> Path:
    """A file that takes all room of a disk."""
    path = folder / "fill"
    with path.open("wb", buffering=0) as file:
        while file.write(bytes(2**20)) == 2**20:
            pass  # one that is cut short took the last of it
    return path


def _tasks(machines: Machines, count: int) -> list[dict[str, Any]]:
    effects = machines.root / "effects"
    effects.mkdir()
    run = f"echo x >>{effects}/{{}}; echo line-{{}}"
    return [{"key": f"t{i}", "run": run.format(f"t{i}", i)} for i in range(count)]


def _effects(machines: Machines) -> dict[str, str]:
    return {path.name: path.read_text() for path in (machines.root / "effects").iterdir()}


def test_a_node_whose_disk_is_full_gets_no_turns_until_it_has_room(
    small: Path, tmp_path: Path
) -> None:
    machines = _begun(tmp_path)
    home = machines.home
    try:
        fill = _fill(small)
        # The engine has not seen it yet: turns that begin there go elsewhere.
        id = machines.run(_tasks(machines, 4), workers=4)
        assert machines.ended(id) == "completed", home.perles("show", id).stdout
        assert _effects(machines) == {f"t{i}": "x\n" for i in range(4)}
        home.wait_for("word", lambda: "its disk is full" in home.perles("nodes").stdout)
        assert "node box1: its disk is full" in home.perles("doctor").stdout

        assert home.perles("nodes", "drain", "box2").returncode == 0
        id = machines.run([{"key": "waits", "run": "echo done"}])
        home.wait_for("words", lambda: "box1: its disk is full" in home.perles("show", id).stdout)
        fill.unlink()
        assert machines.ended(id) == "completed", home.perles("show", id).stdout
    finally:
        _end(machines)


@pytest.mark.parametrize(("seconds", "words"), [(3630, "ahead of"), (-3630, "behind")])
def test_a_clock_that_is_an_hour_off_is_told_and_does_no_harm(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, seconds: int, words: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(AHEAD.format(seconds=seconds))
    with monkeypatch.context() as patch:
        patch.setenv("PYTHONPATH", str(tmp_path))
        machines = Machines(tmp_path)  # its nodes have that clock, the engine has not
    home = machines.home
    home.environ.pop("PYTHONPATH")
    try:
        machines.start()
        home.wait_for("word", lambda: f"its clock is 1h00m {words}" in home.perles("nodes").stdout)

        assert f"node box1: its clock is 1h00m {words} this one" in home.perles("doctor").stdout
        id = machines.run(_tasks(machines, 4), workers=4)

        assert machines.ended(id) == "completed", home.perles("show", id).stdout
        assert machines.nodes() <= set(NODES)
        assert _effects(machines) == {f"t{i}": "x\n" for i in range(4)}
        lines = [e["payload"]["text"] for e in home.events() if e["type"] == "worker.output"]
        assert sorted(lines) == [f"line-{i}" for i in range(4)]
        times = [event["at"] for event in home.events()]
        assert times == sorted(times)
    finally:
        _end(machines)
