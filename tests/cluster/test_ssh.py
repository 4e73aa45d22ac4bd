"""A cluster over SSH, by a program in place of ssh that runs what it is told on this machine."""

from __future__ import annotations

import asyncio
import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perles.cluster import ssh
from perles.cluster.channel import DaskChannel, Found
from perles.config.cluster import Cluster
from perles.domain.errors import ClusterError
from tests.cluster.dask_cluster import DEADLINE, wait_for

pytest.importorskip("distributed")
pytest.importorskip("cryptography")

# Each host is a folder: what stands in `broken` is what ssh says of it.
PROGRAM = """#!/bin/sh
while [ "$1" != -- ]; do shift; done
host=$2 there=$HOSTS/$2
if [ -e "$there/broken" ]; then cat "$there/broken" >&2; exit 255; fi
echo $$ >>"$there/pids"
echo "$3" >>"$there/commands"
PERLES_NODE_NAME=$host PERLES_NODE_DIR=$there/node SSH_CONNECTION="127.0.0.1 1 127.0.0.1 22"
export PERLES_NODE_NAME PERLES_NODE_DIR SSH_CONNECTION
exec sh -c "$3"
"""


@pytest.fixture
def hosts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the hosts `box1` and `box2`, for the program that stands for ssh."""
    program, made = tmp_path / "bin" / "ssh", tmp_path / "hosts"
    program.parent.mkdir()
    program.write_text(PROGRAM)
    program.chmod(0o755)
    for name in ("box1", "box2"):
        (made / name).mkdir(parents=True)
    monkeypatch.setenv("PATH", f"{program.parent}:{os.environ['PATH']}")
    monkeypatch.setenv("HOSTS", str(made))
    return made


async def _until(channel: DaskChannel, is_so: Callable[[dict[str, Found]], Any]) -> None:
    ends, found = time.monotonic() + DEADLINE, dict[str, Found]()
    while time.monotonic() < ends:
        try:
            found = {one.name: one for one in await channel.look()}
        except ClusterError:
            found = {}
        if is_so(found):
            return
        await asyncio.sleep(0.1)
    raise AssertionError(f"{found} {channel.problem}")


def _told(found: dict[str, Found], name: str) -> bool:
    """Whether the node of this host was heard; one that begins again is not there meanwhile."""
    return name in found and bool(found[name].told)


def _end_nodes(hosts: Path) -> None:
    for lock in hosts.glob("*/node/node.lock"):
        os.kill(int(lock.read_text()), 15)


def _all(hosts: Path, name: str) -> list[str]:
    return [line for file in hosts.glob(f"*/{name}") for line in file.read_text().splitlines()]


def _lives(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(") ")[2][0] != "Z"
    except OSError:
        return False


async def test_each_host_is_kept_by_itself_and_all_end_with_the_channel(hosts: Path) -> None:
    (hosts / "box2" / "broken").write_text("me@box2: Permission denied (publickey).\n")
    channel = DaskChannel(Cluster(ssh=("box1", "box2")))
    channel.start()
    try:
        await _until(channel, lambda found: _told(found, "box1"))
        denied = "cannot use box2: me@box2: Permission denied (publickey)."
        await _until(channel, lambda found: "box2" in found and found["box2"].problem == denied)

        (hosts / "box2" / "broken").unlink()
        await _until(channel, lambda found: _told(found, "box2"))
        (worker,) = map(int, (hosts / "box2" / "pids").read_text().split())
        os.kill(worker, 9)
        await _until(channel, lambda found: _told(found, "box2") and not _lives(worker))
        await asyncio.to_thread(
            wait_for, "next one", lambda: len((hosts / "box2" / "pids").read_text().split()) > 1
        )
        address = channel._found["box1"].workers[0].address
        assert address.startswith("tls://")
    finally:
        await channel.close()
        pids = [int(pid) for pid in _all(hosts, "pids")]
        _end_nodes(hosts)
    await asyncio.to_thread(wait_for, "end", lambda: not any(map(_lives, pids)))
    assert set(_all(hosts, "commands")) == {f"exec {sys.executable} -m perles.cluster.remote"}


async def test_a_first_host_that_cannot_be_used_is_the_clusters_problem(hosts: Path) -> None:
    (hosts / "box1" / "broken").write_text("ssh: connect to host box1 port 22: No route to host\n")
    channel = DaskChannel(Cluster(ssh=("box1", "box2")))
    channel.start()
    try:
        said = "cannot use box1: ssh: connect to host box1 port 22: No route to host"
        await asyncio.to_thread(wait_for, said, lambda: channel.problem == said)
    finally:
        await channel.close()


@pytest.mark.parametrize(
    ("code", "errors", "said"),
    [
        (127, ["bash: line 1: /a/python: No such file or directory"], "there is no /a/python on"),
        (1, ["/a/python: Error while finding module", "No module named perles"], "has no perles"),
        (
            1,
            [
                "/a/python: Error while finding module specification for 'perles.cluster.remote' "
                "(ModuleNotFoundError: No module named 'perles')"
            ],
            "has no perles: pip install",
        ),
        (1, ["Traceback", "ModuleNotFoundError: No module named 'distributed'"], "no distributed"),
        (255, ["Host key verification failed.", ""], "Host key verification failed."),
        (-9, [], "exit code -9"),
    ],
)
def test_why_a_program_over_ssh_ended_is_said(code: int, errors: list[str], said: str) -> None:
    assert said in ssh.in_words(code, errors, "/a/python")
