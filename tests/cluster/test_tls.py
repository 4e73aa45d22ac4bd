"""A scheduler with certificates: reached with the right ones, and wrong ones told in words."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perles.cluster import certificates
from perles.cluster.channel import DaskChannel
from perles.config.cluster import Cluster
from perles.domain.errors import ClusterError
from tests.cluster.dask_cluster import DEADLINE, DaskCluster, wait_for

pytest.importorskip("distributed")
pytest.importorskip("cryptography")


def _write(folder: Path, security: Any) -> dict[str, str]:
    """A pair of files, as the configuration names them."""
    folder.mkdir()
    texts = {
        "ca": security.tls_ca_file,
        "certificate": security.tls_client_cert,
        "key": security.tls_client_key,
    }
    for name, text in texts.items():
        (folder / f"{name}.pem").write_text(text)
    return {name: str(folder / f"{name}.pem") for name in texts}


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[DaskCluster, dict[str, str]]]:
    """A scheduler at work with a worker, and the files to reach it."""
    root = tmp_path_factory.mktemp("tls")
    security = certificates.temporary()
    files = _write(root / "right", security)
    made = DaskCluster(root, protocol="tls")
    made.environ |= certificates.environ_of(security)
    made.start_scheduler()
    made.start_echo("box1", root / "box1")
    made.start_worker("box1", root / "box1", nanny=False)
    yield made, files
    made.close()


async def test_nodes_are_reached_with_the_certificates_of_the_configuration(
    site: tuple[DaskCluster, dict[str, str]],
) -> None:
    dask, files = site
    channel = DaskChannel(_cluster(dask.address, files))
    channel.start()
    try:
        ends = time.monotonic() + DEADLINE
        while not await _told(channel):
            assert time.monotonic() < ends, channel.problem
            await asyncio.sleep(0.1)
    finally:
        await channel.close()


async def _told(channel: DaskChannel) -> bool:
    try:
        return any(one.told.get("name") == "box1" for one in await channel.look())
    except ClusterError:
        return False


async def test_certificates_of_others_and_none_at_all_are_said(
    site: tuple[DaskCluster, dict[str, str]], tmp_path: Path
) -> None:
    dask, files = site
    wrong = await asyncio.to_thread(_write, tmp_path / "wrong", certificates.temporary())
    for settings, said in (
        (_cluster(dask.address, wrong), "its certificate is not of cluster.ca"),
        (_cluster(dask.address, wrong | {"ca": files["ca"]}), "take the certificate of"),
        (Cluster(scheduler=dask.address.replace("tls:", "tcp:")), "may begin with tls://"),
    ):
        assert said in await _problem(settings)


async def test_a_scheduler_that_is_none_is_said(tmp_path: Path) -> None:
    files = await asyncio.to_thread(_write, tmp_path / "right", certificates.temporary())
    server = await asyncio.start_server(_answer_in_words, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with server:
        for settings, said in (
            (Cluster(scheduler=f"tcp://127.0.0.1:{port}"), "is no Dask scheduler"),
            (_cluster(f"tls://127.0.0.1:{port}", files), "does not speak TLS"),
            (Cluster(scheduler="tcp://127.0.0.1:1"), "nothing listens there"),
            (Cluster(scheduler="tcp://nowhere.invalid:1"), "nobody knows this name"),
        ):
            problem = await _problem(settings)
            assert problem.startswith(f"cannot reach {settings.scheduler}: "), problem
            assert said in problem


async def _answer_in_words(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    writer.write(b"HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")
    writer.close()


async def _problem(settings: Cluster) -> str:
    """Why the cluster is not reached, once that is known."""
    channel = DaskChannel(settings)
    before = channel.problem
    channel.start()
    try:
        await asyncio.to_thread(wait_for, "problem", lambda: channel.problem != before)
        return channel.problem
    finally:
        await channel.close()


def _cluster(scheduler: str, files: dict[str, str]) -> Cluster:
    return Cluster(
        scheduler=scheduler, ca=files["ca"], certificate=files["certificate"], key=files["key"]
    )


def test_files_that_are_no_certificates_are_named_before_anything_is_asked(tmp_path: Path) -> None:
    files = _write(tmp_path / "right", certificates.temporary())
    other = _write(tmp_path / "other", certificates.temporary())
    (tmp_path / "empty").write_text("")
    for change, said in (
        ({"ca": str(tmp_path / "none")}, "cannot read .*none, which cluster.ca names"),
        ({"ca": str(tmp_path / "empty")}, "cannot use cluster.ca: .*empty has no certificate"),
        ({"key": other["key"]}, "they are no pair"),
        ({"key": ""}, "cannot use TLS without cluster.key"),
    ):
        settings = _cluster("tls://a:1", files | change)
        with pytest.raises(ClusterError, match=said):
            certificates.security(settings)
