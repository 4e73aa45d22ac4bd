"""Following a workflow to its end, as `perles run` and `perles attach` do; signals end it."""

import signal
import sys
import time
from types import FrameType

from perles.cli import streams
from perles.cli.events import line_of
from perles.cli.output import on_terminal, print_json, print_line, say, spent, warn
from perles.cli.show import print_failures
from perles.controlplane.plane import ControlPlane
from perles.controlplane.quick import Json
from perles.domain.commands import Pause
from perles.domain.duration import span
from perles.domain.errors import CommandFailedError, DatabaseError, PerlesError, WrongStateError
from perles.domain.explanations import advice
from perles.domain.states import RETRIABLE, WORKFLOW
from perles.domain.text import clean

QUIET = (
    *("command.", "resource.lease", "agent.status_changed", "agent.phase_changed", "turn.starting"),
    *("worker.incoming", "coordinator.incoming"),
)
"""Events that a pipe is spared: `perles events` has them."""

LOOK_SECONDS = 0.1
"""How often the workflow's state and the engine are looked at."""

TROUBLE_SECONDS = 1.0
"""How often it is asked whether the engine can go on."""

UNREAD = 128 + signal.SIGPIPE
"""The exit code where the reader went away, as the shell tells it."""


class Runner:
    """Follows one workflow; signals end the following, and with an engine of our own the work."""

    def __init__(self, plane: ControlPlane, workflow_id: str, as_json: bool) -> None:
        self._plane = plane
        self._id = workflow_id
        self._json = as_json
        self._own = False
        self._follows_only = False
        self._signal: int | None = None
        self._look_at = 0.0
        self._ask_at = 0.0
        self._troubled = False

    def run(self) -> int:
        """Start and follow; the exit code."""
        self._listen()
        try:
            return self._carry()
        except KeyboardInterrupt:
            return self._kill()
        except DatabaseError as error:
            warn(f"perles: {error}")
            warn(f"perles: {self._id} is kept; follow it then: perles attach {self._id}")
            return error.exit_code
        except OSError as error:
            if not streams.cannot_print(error):
                raise
            why = f"perles: cannot print: {error.strerror}"
            warn(f"{why}; {self._id} goes on. Look: perles show {self._id}")
            return UNREAD if isinstance(error, BrokenPipeError) else 1

    def detach(self) -> int:
        """Start it with an engine that goes on by itself, and tell its id; the exit code."""
        self._plane.ensure_engine()
        self._begin()
        if self._json:
            state = self._plane.state_of(self._id)
            print_json({"id": self._id, "state": state, "exit_code": None}, line=True)
        else:
            print(self._id)
        return 0

    def attach(self) -> int:
        """Follow what goes on without starting anything; the exit code."""
        self._listen()
        self._follows_only = True
        return self._follow(self._plane.last_seq(), "Ctrl-C detaches")

    def _carry(self) -> int:
        begun = self._plane.last_seq()
        with self._plane.reads_kept_open():
            self._own = self._plane.ensure_engine()
            self._begin()
        return self._follow(begun, "Ctrl-C pauses" if self._own else "Ctrl-C to leave")

    def _begin(self) -> None:
        state = self._plane.get(self._id)["state"]
        if state == "running":
            return
        act = self._plane.resume if state == "paused" else self._plane.start
        try:
            outcome = act(self._id, with_engine=True)
        except CommandFailedError as error:
            if self._plane.state_of(self._id) == state:
                warn(f"perles: {error}")
            return  # else it was asked for before, and the engine took that first
        except WrongStateError:
            if self._plane.state_of(self._id) == state:
                raise
            return
        if outcome.status == "waiting":
            warn(f"perles: {outcome.text}")

    def _listen(self) -> None:
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._interrupted)

    def _interrupted(self, number: int, _frame: FrameType | None) -> None:
        """Once: stop following. A second time: stop waiting for the pause, and kill."""
        if self._signal is not None:
            raise KeyboardInterrupt
        self._signal = number

    def _waits_in_line(self) -> bool:
        return self._plane.get(self._id)["start_requested_at"] is not None

    def _finished(self) -> bool:
        """Whether there is nothing to follow any more. Brings a dead engine back."""
        if self._signal is not None:
            return True
        now = time.monotonic()
        if now < self._look_at:
            return False
        self._look_at = now + LOOK_SECONDS
        state = self._plane.state_of(self._id)
        if state in WORKFLOW.terminal:
            return True
        if self._follows_only:
            return False
        if state == "paused" and not self._waits_in_line():
            return True
        self._tell_of_trouble()
        if not self._plane.is_attended():
            warn("perles: the engine is gone; starting one")
            self._own = self._plane.ensure_engine() or self._own
        return False

    def _tell_of_trouble(self) -> None:
        """Say once that the engine cannot go on, and once that it can again."""
        if time.monotonic() < self._ask_at:
            return
        self._ask_at = time.monotonic() + TROUBLE_SECONDS
        trouble = self._plane.engine_trouble()
        if bool(trouble) != self._troubled:
            self._troubled = bool(trouble)
            warn(f"perles: {trouble}; {advice(trouble)}" if trouble else "perles: it goes on")

    def _is_hopeless(self) -> bool:
        """Whether there is no use in waiting for the engine's answer."""
        self._tell_of_trouble()
        return self._troubled

    def _follow(self, since: int, way_out: str) -> int:
        """Show what happens, from seq `since` on, until there is nothing to follow."""
        # Not to the very end: the engine, which may end then, closes the database as the last one.
        with self._plane.reads_kept_open():
            if on_terminal() and not self._json:
                from perles.cli.run_view import follow_live

                follow_live(self._plane, self._id, self._finished, way_out=way_out)
            else:
                self._follow_plain(since)
        return self._leave() if self._signal is not None else self._conclude()

    def _follow_plain(self, since: int) -> None:
        for event in self._plane.subscribe(since=since, workflow=self._id, stop=self._finished):
            if self._json:
                print_json(event, line=True)
            elif not event["type"].startswith(QUIET):
                print_line(line_of(event))

    def _leave(self) -> int:
        if sys.stderr.isatty():
            print(file=sys.stderr)  # past the ^C that the terminal shows
        if not self._own:
            warn(f"stopped following; {self._id} goes on. Look: perles show {self._id}")
            return self._code()
        warn(f"pausing {self._id} …; Ctrl-C again kills its agents and stops it")
        try:
            asked = self._plane.ask(self._id, Pause())
            outcome = self._plane.outcome(asked, give_up=self._is_hopeless)
        except PerlesError as error:
            warn(f"perles: {error}")
        else:
            warn(f"{outcome.text}; go on with it: perles run {self._id}")
        return self._code()

    def _kill(self) -> int:
        """A second signal, wherever the first one had brought us."""
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        if self._own:
            self._plane.stop(self._id, reason="interrupted twice", force=True)
            warn(f"stopped {self._id}; its agents were killed")
        return self._code()

    def _code(self) -> int:
        return 130 if self._signal == signal.SIGINT else 143

    def _conclude(self) -> int:
        shown = self._plane.get(self._id)
        code = 0 if shown["state"] == "completed" else 1
        if self._json:
            print_json({"id": self._id, "state": shown["state"], "exit_code": code}, line=True)
        else:
            _say_end(shown)
        if self._own:
            self._plane.wait_for_idle_engine(5.0)
        return code


def _say_end(shown: Json) -> None:
    print_failures(shown)
    counts = shown["task_counts"]
    why = f" ({clean(shown['reason'])})" if shown["reason"] else ""
    say(
        f"\n{shown['id']} {clean(shown['name'])}: {shown['state']}{why}, "
        f"{counts['done']}/{counts['total']} tasks in {span(shown['uptime_s'])}{spent(shown)}"
    )
    say(f"look: perles show {shown['id']} · perles events {shown['id']}")
    if shown["worktree"]:
        say(f"its branch: perles diff {shown['id']} · perles merge {shown['id']}")
    if shown["state"] in RETRIABLE:
        say(f"go on where it ended: perles retry {shown['id']} --with-engine")
