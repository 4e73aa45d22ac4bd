"""A turn that runs on a node, as the engine has it: what it printed, byte for byte, in files here.

What reads a turn's output, its errors and its status reads these files, wherever the turn ran.
Bytes are only ever added where the file ends, so an engine that is killed goes on from there.
Filled in one thread, looked at from another.
"""

import asyncio
import logging
import signal
from collections.abc import Callable
from dataclasses import field
from pathlib import Path
from typing import Final

from perles.domain.clock import since_boot
from perles.domain.records import dataclass
from perles.executor.contract import TurnFiles
from perles.executor.remote.messages import Seen, State, TurnRef
from perles.workspace import door

log = logging.getLogger("perles.executor")

Call = Callable[[], None]
MAX_CODE: Final = 255


@dataclass(slots=True, eq=False)
class Mirror:
    """One turn. `seen_at` is when its state was told, by CLOCK_BOOTTIME.

    `is_over` tells that its process has ended, and all that it printed is here; `is_lost` that
    its node was not heard of for so long that it has ended it. One that is `condemned` was to be
    killed while nobody could tell its node. Its node was asked to start one that `is_asked`, and
    tells of one that `is_watched`. One that is lost `is_repeated`, where that is wanted; one that
    `is_parted` was lost with its node, which somebody ended.
    """

    ref: TurnRef
    files: TurnFiles
    state: State | None = None
    seen_at: float = 0.0
    is_over: bool = False
    is_lost: bool = False
    is_parted: bool = False
    condemned: bool = False
    is_asked: bool = False
    is_watched: bool = False
    is_repeated: bool = False
    _calls: list[tuple[asyncio.AbstractEventLoop, Call]] = field(default_factory=list)
    _sizes: tuple[int, int] | None = None
    """Of the output and the errors here, once they were looked at: nobody else adds to them."""

    def seen(self) -> Seen:
        """How far it is here."""
        stamp = -1 if self.state is None else self.state.stamp
        if self._sizes is None:
            self._sizes = door.size_of(self.files.stdout), door.size_of(self.files.stderr)
        return Seen(self.ref, *self._sizes, stamp)

    def begin(self) -> None:
        """The node is asked to start it: its files here were made anew."""
        self.is_asked, self._sizes = True, None

    def take(self, asked: Seen, state: State) -> None:
        """Take what the node told when it was asked that. Raises `OSError`."""
        if self.is_over:
            return
        output, errors = self._sizes or (asked.output, asked.errors)
        if asked.output == output:
            output = _added(self.files.stdout, output, state.output)
        if asked.errors == errors:
            errors = _added(self.files.stderr, errors, state.errors)
        self._sizes = output, errors
        whole = output >= state.size and errors >= state.errors_size
        self.seen_at = since_boot()
        self.state = state
        if not state.lives and whole:
            # What its node ended tells nothing of the agent.
            is_given_up = self.is_repeated or state.parted
            lost = is_given_up and state.fenced and _was_cut_off(state)
            if not lost:
                self._keep_status(state)
            self.end(lost=lost, parted=lost and state.parted)

    def end(self, *, lost: bool = False, parted: bool = False) -> None:
        """It is over: tell who waits."""
        self.is_lost, self.is_parted = lost, parted
        self.is_over = True
        calls, self._calls = self._calls, []
        for loop, call in calls:
            _told(loop, call)

    def when_over(self, call: Call) -> None:
        """Call back in the running event loop; at once where it is over."""
        self._calls.append((asyncio.get_running_loop(), call))
        if self.is_over:  # it may have become so in the other thread meanwhile
            calls, self._calls = self._calls, []
            for loop, waiting in calls:
                _told(loop, waiting)

    def _keep_status(self, state: State) -> None:
        """Leave the status as a launcher of this machine does."""
        if state.told_code is None or not 0 <= state.told_code <= MAX_CODE:
            return
        words = (state.words or "").replace("\n", " ")
        line = f"exit {state.told_code}" + (f" {words}" if words else "")
        door.write(self.files.status, f"{line}\n".encode())


def _was_cut_off(state: State) -> bool:
    """Whether it ended as what is killed does."""
    return state.code is None or state.code == -signal.SIGKILL


def _added(path: Path, size: int, data: bytes) -> int:
    """Add bytes to a file that has this size; its size then. Raises `OSError`.

    Nothing is added to one that somebody else has cut: what is missing is asked for again.
    """
    if not data:
        return size
    try:
        return door.append(path, data, at=size)
    except FileNotFoundError:
        door.write(path, b"")
        return door.append(path, data, at=size)


def _told(loop: asyncio.AbstractEventLoop, call: Call) -> None:
    try:
        loop.call_soon_threadsafe(call)
    except RuntimeError:
        log.debug("the event loop of an engine that ends is not told of a turn's end")
