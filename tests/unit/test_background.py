"""Work beside: it is waited for to its end, and once."""

import asyncio
import re
from pathlib import Path

import pytest

import perles
from perles.executor.background import Background


async def _nothing() -> None:
    return


@pytest.mark.timeout(60)
async def test_work_that_is_done_but_not_yet_noted_is_waited_for() -> None:
    """Python 3.12 and later spun here for ever."""
    background = Background()
    background.start(_nothing())
    await asyncio.sleep(0)
    assert len(background) == 1  # it is done; that is told in the next turn of the loop

    await background.settle()

    assert len(background) == 0


async def test_what_begins_meanwhile_is_waited_for_and_what_is_raised_is_told() -> None:
    ended: list[str] = []
    told: list[str] = []
    background = Background(lambda error: told.append(str(error)))

    async def work(name: str, *then: str) -> None:
        await asyncio.sleep(0)
        ended.append(name)
        for one in then:
            background.start(work(one))
        raise ValueError(name)

    background.start(work("first", "second"))

    await background.settle()

    assert ended == told == ["first", "second"]


async def test_nothing_settles_at_once() -> None:
    await Background().settle()


def test_no_loop_waits_by_gather_for_tasks_to_leave_a_set() -> None:
    root = Path(str(perles.__file__)).parent
    loop = re.compile(r"while .*:\n\s+await asyncio\.gather\(")

    assert [str(one) for one in root.rglob("*.py") if loop.search(one.read_text())] == []
