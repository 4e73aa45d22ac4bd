"""An engine that takes over waits for no node that does not answer."""

import asyncio
from collections.abc import Awaitable, Callable, Iterator

import pytest

from perles.executor.remote import executor as remote
from perles.executor.remote.errors import UnreachableError
from perles.executor.remote.executor import RemoteExecutor
from perles.executor.remote.link import Law
from perles.executor.remote.links import Links
from perles.executor.remote.messages import Answer
from perles.executor.remote.protocol import Call

PATIENCE = 8.0
"""Less than one node that does not answer is waited for otherwise."""


class Silent:
    """Takes calls, and never answers."""

    async def call(self, _node: str, _call: Call) -> Answer:
        """No answer."""
        await asyncio.Event().wait()
        raise AssertionError

    async def close(self) -> None:
        """Nothing is held."""


@pytest.fixture
def executor(monkeypatch: pytest.MonkeyPatch) -> Iterator[RemoteExecutor]:
    monkeypatch.setattr(remote, "ATTACHING", 0.1)
    links = Links(Silent(), Law(epoch=1))
    for name in ("n1", "n2", "n3"):
        links.of(name)
    made = RemoteExecutor(links)
    yield made
    made.close()


@pytest.mark.parametrize(
    "end",
    [
        lambda executor: executor.end_asides(lambda _: True),
        lambda executor: executor.end_orphans(lambda _: True, grace=0.1),
    ],
    ids=["asides", "orphans"],
)
def test_what_is_left_on_a_silent_node_holds_up_no_new_engine(
    executor: RemoteExecutor, end: Callable[[RemoteExecutor], Awaitable[list[int]]]
) -> None:
    async def run() -> None:
        async with asyncio.timeout(PATIENCE):
            assert await end(executor) == []

    asyncio.run(run())


class _Closing:
    """A channel that tells that it was closed."""

    def __init__(self) -> None:
        self.is_closed = False

    async def call(self, node: str, _call: Call) -> Answer:
        """Nobody is there."""
        raise UnreachableError(node, "nobody")

    async def close(self) -> None:
        """Let go."""
        self.is_closed = True


def test_what_leads_to_nodes_is_let_go_of_though_none_was_met() -> None:
    channel = _Closing()

    Links(channel, Law(epoch=1)).close()

    assert channel.is_closed
