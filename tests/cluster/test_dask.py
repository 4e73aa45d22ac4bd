"""Calls to nodes through Dask: they arrive, or fail in words; nothing is repeated or logged."""

import asyncio
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import cast

import pytest

from perles.cluster import certificates, clusters
from perles.cluster.channel import DaskChannel, Found
from perles.config.cluster import Cluster
from perles.domain.errors import ClusterError
from perles.executor.remote.errors import UnreachableError
from perles.executor.remote.messages import Names, Piece, Read, Renew, TurnRef
from perles.executor.remote.protocol import Call
from tests.cluster.dask_cluster import DEADLINE, DaskCluster, kill_all

pytest.importorskip("distributed")

SECRET = "sk-not-for-any-log-7731"


@pytest.fixture(scope="module")
def dask(tmp_path_factory: pytest.TempPathFactory) -> Iterator[DaskCluster]:
    """A scheduler at work; tests add the workers that they need."""
    made = DaskCluster(tmp_path_factory.mktemp("dask"), log_level="debug")
    made.start_scheduler()
    yield made
    made.close()


async def _nodes(channel: DaskChannel, *names: str, workers: int = 1) -> dict[str, Found]:
    """The nodes, once all of these are found, each with so many workers."""
    ends = time.monotonic() + DEADLINE
    found: dict[str, Found] = {}
    while time.monotonic() < ends:
        try:
            found = {one.name: one for one in await channel.look()}
        except ClusterError:
            found = {}
        there = [name for name in names if name in found and found[name].told]
        if len(there) == len(names) and all(len(found[n].workers) >= workers for n in names):
            return found
        await asyncio.sleep(0.1)
    raise AssertionError(f"no {names}: {found} {channel.problem}")


async def _name(channel: DaskChannel, node: str, epoch: int = 7) -> list[str]:
    answer = await channel.call(node, Call(epoch=epoch, request=Renew()))
    return cast(Names, answer).names[:2]


async def test_calls_reach_the_node_that_is_meant_and_no_log_has_them(
    dask: DaskCluster, tmp_path: Path
) -> None:
    processes = []
    for name in ("box1", "box2"):
        dask.start_echo(name, tmp_path / name)
        processes.append(dask.start_worker(name, tmp_path / name, nanny=False))
    channel = DaskChannel(Cluster(scheduler=dask.address))
    channel.start()
    try:
        found = await _nodes(channel, "box1", "box2")
        assert [await _name(channel, name) for name in sorted(found)] == [
            ["box1", "7"],
            ["box2", "7"],
        ]

        read = Read(turn=TurnRef("wf", 1), offset=0, max=5, name=SECRET)
        piece = cast(Piece, await channel.call("box1", Call(epoch=1, request=read)))
        assert piece.data == SECRET.encode() * 2

        # As if there were no way from here to the workers.
        connection = channel._connection
        assert connection is not None
        worker = found["box2"].workers[0]
        connection._indirect[worker.address] = time.monotonic() + DEADLINE
        assert await _name(channel, "box2", epoch=9) == ["box2", "9"]
        again = cast(Piece, await channel.call("box2", Call(epoch=1, request=read)))
        assert again.data == SECRET.encode() * 2

        with pytest.raises(UnreachableError, match="no Dask worker is on its machine"):
            await _name(channel, "box3")
    finally:
        await channel.close()
        for process in processes:
            kill_all(process)
    assert "perles-node" in dask.logs()
    assert SECRET not in dask.logs()


async def test_a_killed_worker_fails_the_call_and_the_next_one_is_asked(
    dask: DaskCluster, tmp_path: Path
) -> None:
    node = dask.start_echo("solo", tmp_path / "solo")
    processes = [dask.start_worker("solo", tmp_path / "solo", nanny=False) for _ in range(2)]
    channel = DaskChannel(Cluster(scheduler=dask.address))
    channel.start()
    try:
        await _nodes(channel, "solo", workers=2)
        assert await _name(channel, "solo") == ["solo", "7"]
        used = channel._worker_of("solo")
        assert used is not None
        (hit,) = [one for one in processes if _listens(one.pid, used.address)]
        kill_all(hit)

        with pytest.raises(UnreachableError):
            await _name(channel, "solo")
        assert await _name(channel, "solo") == ["solo", "7"]

        kill_all(node)
        with pytest.raises(UnreachableError, match="the node of solo does not answer"):
            await _name(channel, "solo")
    finally:
        await channel.close()
        for process in processes:
            kill_all(process)


async def test_a_scheduler_that_is_killed_and_comes_back_is_found_again(tmp_path: Path) -> None:
    made = DaskCluster(tmp_path)
    made.start_scheduler()
    channel = DaskChannel(Cluster(scheduler=made.address))
    try:
        made.start_echo("box1", tmp_path / "box1")
        worker = made.start_worker("box1", tmp_path / "box1", nanny=False)
        channel.start()
        await _nodes(channel, "box1")
        assert made.scheduler is not None
        kill_all(made.scheduler)
        kill_all(worker)

        with pytest.raises(ClusterError):
            await channel.look()
        with pytest.raises(UnreachableError):
            await _name(channel, "box1")

        made.start_scheduler()
        made.start_worker("box1", tmp_path / "box1", nanny=False)
        await _nodes(channel, "box1")
        assert await _name(channel, "box1") == ["box1", "7"]
    finally:
        await channel.close()
        made.close()


def _listens(pid: int, address: str) -> bool:
    import psutil

    port = int(address.rpartition(":")[2])
    return any(c.laddr.port == port for c in psutil.Process(pid).net_connections("tcp"))


def test_slurm_never_runs_a_job_again() -> None:
    settings = Cluster(slurm={"jobs": 3, "queue": "q", "job_extra_directives": ["--exclusive"]})
    given, jobs = clusters.slurm_arguments(settings)
    assert jobs == 3
    assert given["job_extra_directives"] == ["--exclusive", "--no-requeue"]
    assert given["queue"] == "q"


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        (Cluster(ssh=("box1",)), "pip install cryptography"),
        (Cluster(slurm={"queue": "q"}), "pip install dask-jobqueue"),
        (Cluster(kubernetes={"name": "n"}), "pip install dask-kubernetes"),
    ],
)
async def test_what_is_not_installed_is_named_with_what_to_install(
    monkeypatch: pytest.MonkeyPatch, settings: Cluster, said: str
) -> None:
    for name in ("cryptography.x509", "dask_jobqueue", "dask_kubernetes"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ClusterError, match=said):
        await clusters.started(settings)


def test_a_missing_certificate_is_named(tmp_path: Path) -> None:
    missing = str(tmp_path / "ca.pem")
    settings = Cluster(scheduler="tls://a:1", ca=missing, certificate=missing, key=missing)
    with pytest.raises(ClusterError, match=r"cannot read .*ca\.pem"):
        certificates.security(settings)


def test_an_engine_without_cluster_imports_nothing_of_dask() -> None:
    script = (
        "import sys, perles.engine.process, perles.controlplane.plane\n"
        "ours = ('distributed', 'dask', 'perles.cluster')\n"
        "print(*[name for name in sys.modules if name.startswith(ours)])"
    )
    done = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, check=True
    )
    assert done.stdout.split() == []
