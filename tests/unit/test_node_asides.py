"""Commands beside turns on a node: they end when another engine leads, and no earlier."""

import asyncio
import os
from pathlib import Path

from perles.executor.local.identity import identify
from perles.executor.remote import messages as m
from perles.executor.remote.protocol import Call
from perles.node.service import About, Service
from tests.unit.waiting import until


def _aside(script: str) -> m.RunAside:
    return m.RunAside(
        key="k",
        argv=["/bin/sh", "-c", script],
        cwd=".",
        env={"PATH": os.environ["PATH"]},
        workflow_id=f"wf-{os.getpid():08x}",
        seconds=600.0,
    )


def test_what_an_engine_asked_for_ends_once_another_one_leads(tmp_path: Path) -> None:
    node, begun = Service(About("box", tmp_path, 1, [])), tmp_path / "begun"

    async def run() -> int:
        asked = _aside(f"echo $$ > {begun}; sleep 600")
        old = asyncio.create_task(node.answer(Call(epoch=1, request=asked)))
        await until(lambda: begun.exists() and begun.read_text().endswith("\n"))
        pid = int(begun.read_text())
        assert identify(pid) is not None

        assert isinstance(await node.answer(Call(epoch=2, request=m.Renew())), m.Renewed)

        answer = await old
        assert isinstance(answer, m.Refused)
        assert answer.kind == "stale_epoch"
        return pid

    assert identify(asyncio.run(run())) is None


def test_a_late_call_of_the_engine_before_that_had_to_wait_runs_nothing(tmp_path: Path) -> None:
    node = Service(About("box", tmp_path, 1, []))

    async def run() -> m.Answer:
        async with node._fencing:  # as while agents are ended whose lease is over
            new = asyncio.create_task(node.answer(Call(epoch=2, request=m.Renew())))
            old = asyncio.create_task(node.answer(Call(epoch=1, request=_aside("true"))))
            await asyncio.sleep(0)  # both wait
        assert isinstance(await new, m.Renewed)
        return await old

    answer = asyncio.run(run())
    assert isinstance(answer, m.Refused)
    assert answer.kind == "stale_epoch"


def test_a_node_that_ends_takes_its_commands_along_and_refuses_more(tmp_path: Path) -> None:
    node, begun = Service(About("box", tmp_path, 1, [])), tmp_path / "begun"

    async def run() -> int:
        asked = _aside(f"echo $$ > {begun}; sleep 600")
        running = asyncio.create_task(node.answer(Call(epoch=1, request=asked)))
        await until(lambda: begun.exists() and begun.read_text().endswith("\n"))
        pid = int(begun.read_text())

        assert await node.leave(asyncio.Event())

        await until(running.done)
        more = await node.answer(Call(epoch=1, request=_aside("true")))
        for answer in (await running, more):
            assert isinstance(answer, m.Refused)
            assert answer.kind == "fenced"
            assert "this node is about to end" in answer.message
        return pid

    assert identify(asyncio.run(run())) is None


def test_what_the_engine_that_leads_asked_for_goes_on(tmp_path: Path) -> None:
    node = Service(About("box", tmp_path, 1, []))

    async def run() -> m.Answer:
        asked = _aside("until [ -e go ]; do sleep 0.02; done; exit 3")
        running = asyncio.create_task(node.answer(Call(epoch=2, request=asked)))
        await node.answer(Call(epoch=2, request=m.Renew()))
        (node.turns.root / "go").touch()
        return await running

    answer = asyncio.run(run())
    assert isinstance(answer, m.Ran)
    assert answer.code == 3
