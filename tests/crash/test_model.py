"""Random commands and kills against the machine of workflows: the database always agrees."""

import shutil
import tempfile
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, precondition, rule

from perles.domain.errors import PerlesError, WrongStateError
from perles.domain.machine import decide, triggers_from
from perles.domain.states import WORKFLOW, WorkflowTrigger
from perles.store import migrate
from tests.crash.world import World, world
from tests.integration.cli import Home
from tests.postgres.homes import another

FOR_EVER = "echo begins; sleep 1000"
COMMANDS = ("start", "pause", "resume", "stop", "fail")


class Life(RuleBasedStateMachine):
    """One workflow whose task never ends; `expected` is where the model has it."""

    @initialize()
    def begin(self) -> None:
        """A home with an engine and a pending workflow."""
        self.opened = ExitStack()
        patch = self.opened.enter_context(pytest.MonkeyPatch.context())
        self.opened.enter_context(another(patch))
        self.folder = Path(tempfile.mkdtemp(prefix="perles-model-"))
        self.opened.callback(shutil.rmtree, self.folder)
        home = Home(self.folder)
        home.root.mkdir(mode=0o700)
        migrate.ensure(home.database)
        self.world: World = self.opened.enter_context(world(home))
        self.world.serve()
        self.world.wait_for_engine()
        self._new()

    def _new(self) -> None:
        self.id = self.world.create([{"key": "t0", "run": FOR_EVER}], start=False)
        self.expected = "pending"

    @rule(kind=st.sampled_from(COMMANDS), kill=st.booleans())
    def command(self, kind: WorkflowTrigger, kill: bool) -> None:
        """A command does what the machine says, also when the engine dies under it."""
        possible = kind in triggers_from(WORKFLOW, self.expected)
        code = self._carry_out(kind, kill)
        assert code == (0 if possible else WrongStateError.exit_code)
        if possible:
            self.expected = decide(WORKFLOW, self.expected, kind).dest

    def _carry_out(self, kind: str, kill: bool) -> int:
        """The exit code that a person would see."""
        try:
            request = self.world.plane.request(self.id, kind, _arguments(kind))
            if kill:
                self._kill()
            self.world.plane.outcome(request)
        except PerlesError as error:
            return error.exit_code
        return 0

    @rule()
    def kill(self) -> None:
        """The engine dies between commands."""
        self._kill()

    @precondition(lambda self: self.expected in WORKFLOW.terminal)
    @rule()
    def another(self) -> None:
        """Once a workflow has ended, its successor is looked at."""
        self._new()

    @invariant()
    def agrees(self) -> None:
        """State, leases and processes are those of the model."""
        if not hasattr(self, "id"):
            return
        assert self.world.state(self.id) == self.expected
        leases = {row[0] for row in self.world.query("SELECT kind FROM leases")}
        assert ("workflow" in leases) == (self.expected == "running")
        if self.expected != "running":
            assert self.world.family(self.id) == []
            assert self.world.launchers() == []

    def teardown(self) -> None:
        """Leave nothing behind."""
        if hasattr(self, "opened"):
            self.opened.close()

    def _kill(self) -> None:
        self.world.kill_engine()
        self.world.serve()
        self.world.wait_for_engine()


def _arguments(kind: str) -> dict[str, object]:
    return {"reason": "tried"} if kind in ("pause", "stop", "fail") else {}


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=3,
    stateful_step_count=8,
    deadline=None,
    derandomize=True,
    suppress_health_check=list(HealthCheck),
)
