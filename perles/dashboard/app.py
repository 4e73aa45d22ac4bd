"""The loop: keys, answers and changes in, frames out, at most twenty a second."""

from __future__ import annotations

import os
import select
import signal
import time
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path
from types import FrameType
from typing import Final

from perles.dashboard.frames.compose import Composer
from perles.dashboard.jobs.pool import Jobs
from perles.dashboard.model.state import Effect, Notice, State, View
from perles.dashboard.reading.source import Source
from perles.dashboard.terminal.keys import ESC_SECONDS, Key, Keys
from perles.dashboard.terminal.paint import Painter
from perles.dashboard.terminal.screen import Screen
from perles.dashboard.update import answers
from perles.dashboard.update.dispatch import press
from perles.dashboard.update.matches import to_match, unfolded
from perles.dashboard.update.table import select as select_row

FRAME_SECONDS: Final = 0.05
"""Between two frames that show what changed."""
KEY_FRAME_SECONDS: Final = 0.01
"""Between two frames where the second one answers a key: nobody should wait for it."""
NOTICE_SECONDS: Final = {"good": 6.0, "muted": 6.0, "warn": 15.0, "bad": 60.0}
_READ: Final = 64 * 1024


class App:
    """One dashboard on one terminal."""

    def __init__(
        self, home: Path, database: Path, painter: Painter, *, engine: bool, state: State
    ) -> None:
        self.state = replace(state, engine_wanted=engine)
        self.view = View()
        self._screen = Screen()
        self._painter = painter
        self._source = Source(database)
        self._jobs = Jobs(home)
        self._keys = Keys()
        self._composer = Composer()
        self._with_engine = engine
        self._quit: int | None = None
        self._dirty = True
        self._stale = True
        self._drawn_at = 0.0
        self._second = 0
        self._key_at = 0.0
        self._pipe = os.pipe()
        self._answers = False
        self._had_work = False
        self._notice = Notice("")
        self._notice_at = 0.0

    def run(self) -> int:
        """Show and obey until told to quit; the exit code. The terminal is whole afterwards."""
        self._listen()
        try:
            self._screen.enter()
            self._begin()
            while self._quit is None:
                self._turn()
            return self._quit
        finally:
            self._screen.leave()
            self._jobs.close()
            self._source.close()

    def _begin(self) -> None:
        self._source.changed()
        self._draw(force=True)
        self._bring_engine()

    def _listen(self) -> None:
        """Signals wake the loop through a pipe; it alone acts on them."""
        for fd in self._pipe:
            os.set_blocking(fd, False)
        signal.set_wakeup_fd(self._pipe[1], warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGINT):
            signal.signal(number, self._told_to_end)
        for number in (signal.SIGWINCH, signal.SIGCONT):
            signal.signal(number, self._told_to_redraw)
        signal.signal(signal.SIGTSTP, self._told_to_suspend)

    def _told_to_end(self, number: int, _frame: FrameType | None) -> None:
        self._quit = 128 + number

    def _told_to_redraw(self, _number: int, _frame: FrameType | None) -> None:
        self._painter.forget()
        self._dirty = self._stale = True

    def _told_to_suspend(self, _number: int, _frame: FrameType | None) -> None:
        self._suspend()

    def _turn(self) -> None:
        """Wait for something, or a moment; take it in; draw if that changed anything."""
        self._wait()
        if self._quit is not None:
            return
        for answer in self._jobs.collect():
            self.state, effects = answers.take(self.state, answer)
            self._dirty = self._stale = True
            self._act(effects)
        if self._source.changed():
            self._dirty = self._stale = True
        second = int(time.time())
        if second != self._second:
            self._second = second
            self._dirty = True
            self._fade()
        self._draw()
        self._bring_engine()

    def _fade(self) -> None:
        """What was said is not said for ever; what went wrong stays a little longer."""
        notice = self.state.notice
        if notice is not self._notice:
            self._notice, self._notice_at = notice, time.monotonic()
        elif notice.text and time.monotonic() - self._notice_at > NOTICE_SECONDS[notice.style]:
            self.state = replace(self.state, notice=Notice(""))

    def _wait(self) -> None:
        reading = [self._screen.in_fd, self._pipe[0], *self._jobs.files()]
        if self._source.fd is not None:
            reading.append(self._source.fd)
        blocked = self._screen.blocked
        ready, writable, _ = select.select(
            reading, [] if blocked is None else [blocked], [], self._patience()
        )
        if writable:
            self._screen.ready()  # the rest of a frame that the terminal did not take at once
        if self._pipe[0] in ready:
            os.read(self._pipe[0], 4096)
        if self._screen.in_fd in ready:
            self._read_keys()
        elif self._keys.waiting and time.monotonic() - self._key_at >= ESC_SECONDS:
            self._press(self._keys.flush())

    def _patience(self) -> float:
        """Seconds until there is something to do, if nothing comes before: a look at the
        database, a frame that was put off, ages that are a second older, a lone Esc."""
        waits = [self._source.patience, 1.001 - time.time() % 1]
        if self._dirty:
            waits.append(max(0.0, self._frame_at() - time.monotonic()))
        if self._keys.waiting:
            waits.append(ESC_SECONDS)
        return min(waits)

    def _frame_at(self) -> float:
        """When the next frame may be drawn."""
        return self._drawn_at + (KEY_FRAME_SECONDS if self._answers else FRAME_SECONDS)

    def _read_keys(self) -> None:
        try:
            data = os.read(self._screen.in_fd, _READ)
        except OSError:
            data = b""
        if not data:
            self._quit = 128 + signal.SIGHUP  # the terminal hung up
            return
        self._key_at = time.monotonic()
        self._press(self._keys.feed(data))

    def _press(self, keys: Sequence[Key]) -> None:
        for key in keys:
            self.state, effects = press(self.state, key, self.view)
            self._dirty = self._stale = self._answers = True
            self._act(effects)
            if effects or len(keys) > 1 or self.state.jump is not None:
                self._refresh()
            if self._quit is not None:
                return

    def _act(self, effects: Sequence[Effect]) -> None:
        for kind, args in effects:
            if kind == "quit":
                self._quit = 0
            elif kind == "suspend":
                self._suspend()
            elif kind == "redraw":
                self._painter.forget()
            elif kind == "match":
                self.state, wanted = to_match(self.state, self.view, args["step"])
                self._act(wanted)
            elif kind == "mouse":
                self._screen.take_mouse(self.state.mouse)
            elif kind == "copy":
                self._screen.copy(args["text"])
            elif kind == "unfold":
                self.state = unfolded(self.state, self.view)
            elif kind == "engine":
                self._start_engine()
            else:
                self._jobs.submit(kind, {**args, "with_engine": self._with_engine})

    def _suspend(self) -> None:
        self._screen.suspend()
        self._painter.forget()
        self._dirty = self._stale = True

    def _bring_engine(self) -> None:
        """Start an engine when work comes up and none is there.

        One that dies while there is work is not replaced: that is for a person to see.
        """
        if not self._with_engine or self._jobs.busy:
            return  # what is being done may bring an engine itself
        if self.view.work and not self._had_work and not self.view.engine:
            self._jobs.submit("engine", {"asked": False})
        self._had_work = self.view.work

    def _start_engine(self) -> None:
        self.state = replace(self.state, notice=Notice("starting an engine …"))
        self._jobs.submit("engine", {"asked": True})

    def _refresh(self) -> None:
        """Read what the state shows, and keep the cursor on its row where rows moved."""
        size = self._screen.size()
        self.view = self._source.view(self.state, self.view, size)
        table = self.state.table
        place = table.cursor
        ids = self.view.ids
        if table.cursor_id is not None and not (place < len(ids) and ids[place] == table.cursor_id):
            place = ids.index(table.cursor_id) if table.cursor_id in ids else place
        kept = select_row(table, place, self.view)
        if kept != table:
            self.state = replace(self.state, table=kept)
            if kept.top != table.top:
                self.view = self._source.view(self.state, self.view, size)
        self._stale = False

    def _draw(self, *, force: bool = False) -> None:
        now = time.monotonic()
        if not force and (not self._dirty or now < self._frame_at()):
            return
        if not self._screen.ready():
            self._drawn_at = now
            return  # the terminal is slow: this frame is dropped, a newer one comes
        if self._stale:
            self._refresh()
        self.view = self.view._replace(now=time.time(), size=self._screen.size())
        self.state, frame = self._composer.compose(self.state, self.view)
        self._screen.write(self._painter.frame(frame))
        self._drawn_at = now
        self._dirty = self._answers = False
