"""What turns on nodes print: taken once, byte for byte, and told of as often as pays."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from perles.executor.contract import TurnFiles
from perles.executor.remote import messages as m
from perles.executor.remote.link import Law, Link
from perles.executor.remote.mirror import Mirror
from perles.executor.remote.protocol import Call
from perles.node import service
from perles.node.service import About, Service
from tests.unit.waiting import until


def _mirror(folder: Path, number: int = 1) -> Mirror:
    folder.mkdir(exist_ok=True)
    files = TurnFiles.at(folder / f"turn-{number}.stdout.jsonl")
    return Mirror(m.TurnRef("wf-1", number), files)


def _told(mirror: Mirror, output: bytes, size: int, *, lives: bool = True) -> m.State:
    about: dict[str, Any] = {"output": output, "size": size, "lives": lives}
    return m.State(turn=mirror.ref, stamp=1, **about)


def test_what_two_answers_tell_is_added_once(tmp_path: Path) -> None:
    mirror = _mirror(tmp_path)
    first, second = mirror.seen(), mirror.seen()

    mirror.take(first, _told(mirror, b"one\n", 4))
    mirror.take(second, _told(mirror, b"one\ntwo\n", 8))
    assert mirror.files.stdout.read_bytes() == b"one\n"
    mirror.take(mirror.seen(), _told(mirror, b"two\n", 8, lives=False))

    assert mirror.files.stdout.read_bytes() == b"one\ntwo\n"
    assert mirror.is_over


def test_a_file_that_was_cut_is_filled_again(tmp_path: Path) -> None:
    mirror = _mirror(tmp_path)
    mirror.take(mirror.seen(), _told(mirror, b"one\n", 4))
    mirror.files.stdout.write_bytes(b"")

    mirror.take(mirror.seen(), _told(mirror, b"two\n", 8, lives=False))
    assert not mirror.is_over
    assert mirror.seen().output == 0
    mirror.take(mirror.seen(), _told(mirror, b"one\ntwo\n", 8, lives=False))

    assert mirror.files.stdout.read_bytes() == b"one\ntwo\n"
    assert mirror.is_over


class _Node:
    """A node that tells the same of all turns."""

    async def call(self, _node: str, call: Call) -> m.Answer:
        """The answer."""
        assert isinstance(call.request, m.Poll)
        asked = [one.turn for one in call.request.turns]
        found = [m.State(turn=one, stamp=1, output=b"x\n", size=2, lives=True) for one in asked]
        return m.States(turns=found, clock=1.0, boot_id="b")

    async def close(self) -> None:
        """Nothing is held."""


def test_the_files_of_one_turn_hold_up_no_other(tmp_path: Path) -> None:
    bad, good = _mirror(tmp_path / "bad", 1), _mirror(tmp_path, 2)
    bad.files.stdout.symlink_to("/dev/null")
    link = Link("box", _Node(), Law(epoch=1))

    with pytest.raises(OSError, match="replaced"):
        asyncio.run(link.look([bad, good]))

    assert good.files.stdout.read_bytes() == b"x\n"


class _Waiting:
    """A node that tells nothing new until it is let, and never has forgotten: it keeps the asks."""

    def __init__(self, folder: Path) -> None:
        self._greeting = Service(About("box", folder, 1, [])).greeting()
        self.polls: list[list[int]] = []
        self.forgotten: list[list[int]] = []
        self.lets = asyncio.Semaphore(0)

    async def call(self, _node: str, call: Call) -> m.Answer:
        """The answer, some time."""
        request = call.request
        if isinstance(request, m.Hello):
            return self._greeting
        if isinstance(request, m.Poll):
            self.polls.append([one.turn.turn_id for one in request.turns])
            await self.lets.acquire()
            return m.States(turns=[], clock=1.0, boot_id="b")
        if isinstance(request, m.Forget):
            self.forgotten.append([one.turn_id for one in request.turns])
            await asyncio.Event().wait()
        return m.Renewed(clock=1.0, boot_id="b")

    async def close(self) -> None:
        """Nothing is held."""


def test_a_turn_that_begins_is_followed_at_once_though_a_look_waits(tmp_path: Path) -> None:
    async def run() -> None:
        node = _Waiting(tmp_path)
        link = Link("box", node, Law(epoch=1, ttl=1000.0))
        link.begin()
        await until(lambda: len(node.polls) == 1)
        link.watch(_mirror(tmp_path, 1))
        await until(lambda: len(node.polls) == 2)
        link.watch(_mirror(tmp_path, 2))
        link.watch(_mirror(tmp_path, 3))
        await until(lambda: len(node.polls) == 3)
        await link.close()
        assert node.polls == [[], [1], [1, 2, 3]]

    asyncio.run(run())


def test_turns_that_live_do_not_wait_until_others_are_forgotten(tmp_path: Path) -> None:
    async def run() -> None:
        node = _Waiting(tmp_path)
        link = Link("box", node, Law(epoch=1, ttl=1000.0))
        link.begin()
        link.leave(_mirror(tmp_path, 7))
        for looks in range(1, 5):
            await until(lambda looks=looks: len(node.polls) == looks)  # type: ignore[misc]
            node.lets.release()
        await link.close()
        assert node.forgotten == [[7]]

    asyncio.run(run())


class _Late(_Node):
    """A node that has left, and whose word of it comes after what one started since has told."""

    async def call(self, node: str, call: Call) -> m.Answer:
        """The newer answer, to who is not asked for turns; else the older one."""
        if isinstance(call.request, m.Poll):
            return m.States(turns=[], clock=1.0, boot_id="b", leaves=True)
        return m.Renewed(clock=2.0, boot_id="b")


def test_a_late_word_of_a_node_that_left_tells_nothing_of_the_one_started_since() -> None:
    link = Link("box", _Late(), Law(epoch=1))

    async def run() -> None:
        await link.look([])
        assert link.has_left
        await link._asked(m.Renew())
        link.has_left = False  # as its greeting told
        await link.look([])
        assert not link.has_left

    asyncio.run(run())


class _Turns:
    """Turns of a node: one lives, and prints."""

    def __init__(self) -> None:
        self.printed, self.changed = True, False

    def live(self) -> list[str]:
        """The one."""
        return ["turn"]

    def have_changed(self, _asked: Any) -> bool:
        """Whether it has ended."""
        return self.changed

    def have_printed(self, _asked: Any) -> bool:
        """Whether it printed."""
        return self.printed

    def states(self, _asked: Any, _limit: int) -> list[m.State]:
        """What is new of it."""
        return [m.State(turn=m.TurnRef("wf-1", 1), stamp=1)]


def test_output_waits_for_its_pace_and_an_end_does_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(service, "PACE_OF_ONE", 1000.0)
    node, turns = Service(About("box", tmp_path, 1, [])), _Turns()
    node.turns = turns  # type: ignore[assignment] # as much of them as is asked

    async def ask() -> m.Answer:
        return await node.answer(Call(epoch=1, request=m.Poll(turns=[], wait=50.0)))

    async def run() -> None:
        first = await ask()  # nothing was told before
        assert isinstance(first, m.States)
        waiting = asyncio.create_task(ask())
        await asyncio.sleep(2 * service.TICK)
        assert not waiting.done()
        turns.changed = True
        node._wake()
        await until(waiting.done)
        assert isinstance(waiting.result(), m.States)

    asyncio.run(run())


def test_a_turn_that_is_started_once_more_is_taken_from_its_beginning(tmp_path: Path) -> None:
    mirror = _mirror(tmp_path)
    mirror.take(mirror.seen(), _told(mirror, b"one\n", 4))
    mirror.files.stdout.write_bytes(b"")

    mirror.begin()

    assert mirror.seen().output == 0
