"""One real turn of a provider: does it reach the model, and can it call our tools?"""

import json
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple, Protocol

from perles.agents.provider import find
from perles.config.model import Config
from perles.controlplane.outcomes import Outcome
from perles.controlplane.quick import EventPage
from perles.domain.errors import CommandFailedError
from perles.domain.provider_choice import split_choice
from perles.domain.specs import WorkflowSpec
from perles.domain.states import WORKFLOW

GOAL: Final = (
    "This only tests that you can reach the tools. Create no task and spawn no worker. Call the "
    "tool signal_workflow_complete with status success and the summary 'it works', then end "
    "your turn."
)
PROMPT: Final = "This only tests that you can be reached. Change nothing; answer: it works"
NO_CALL: Final = "it ended its turn without calling the tool it was told to call"
SECONDS: Final = 180.0
LOOK_SECONDS: Final = 0.2
IDLE_SECONDS: Final = 3.0
"""How long nothing happens before it is said that nothing will."""


class Trial(NamedTuple):
    """How it went; `problem` is None when the provider works."""

    id: str
    by_tool: bool
    seconds: float
    problem: str | None


class Tried(Protocol):
    """What of the façade a trial uses."""

    def config(self) -> Config:
        """The configuration as it holds here."""
        ...

    def create(self, spec: WorkflowSpec) -> str:
        """Create a workflow; its id."""
        ...

    def start(self, ref: str, *, with_engine: bool = False) -> Outcome:
        """Start it, with an engine."""
        ...

    def stop(self, ref: str, *, reason: str | None = None, force: bool = False) -> Outcome:
        """End it."""
        ...

    def archive(self, ref: str) -> Outcome:
        """Put it out of sight."""
        ...

    def get(self, ref: str) -> dict[str, Any]:
        """It, with tasks and agents."""
        ...

    def state_of(self, workflow_id: str) -> str:
        """Its state."""
        ...

    def agents(self, ref: str | None = None) -> list[dict[str, Any]]:
        """Its agents."""
        ...

    def read_events(self, ref: str | None = None, *, types: Sequence[str] = ()) -> EventPage:
        """Its events."""
        ...


def trial(plane: Tried, choice: str) -> Trial:
    """Run a workflow of one turn, in a folder that is gone afterwards.

    Raises `UsageError` for a provider that is unknown or not installed.
    """
    name, _ = split_choice(choice)
    by_tool = find(name, plane.config().providers.of(name)).has_mcp
    began = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="perles-test-") as folder:
        id = plane.create(_spec(choice, by_tool, folder))
        try:
            plane.start(id, with_engine=True)
            problem = _problem(plane, id)
        finally:
            _give_up(plane, id)
    if problem is None:
        plane.archive(id)
    return Trial(id, by_tool, time.monotonic() - began, problem)


def _give_up(plane: Tried, id: str) -> None:
    """End a workflow that goes on, so that nothing is left of it."""
    if plane.state_of(id) not in WORKFLOW.terminal:
        try:
            plane.stop(id, reason="the test was given up", force=True)
        except CommandFailedError:
            if plane.state_of(id) not in WORKFLOW.terminal:
                raise


def _spec(choice: str, by_tool: bool, folder: str) -> WorkflowSpec:
    common: dict[str, Any] = {
        "name": f"test of {choice}",
        "work_dir": folder,
        "labels": {"perles": "provider-test"},
    }
    if by_tool:
        return WorkflowSpec(goal=GOAL, coordinator=choice, worker=choice, **common)
    task = {"key": "turn", "prompt": PROMPT, "worker": choice}
    file = Path(folder, "test.yaml")
    file.write_text(json.dumps({"name": "test", "tasks": [task]}))
    return WorkflowSpec(template_id="pipeline", args={"file": str(file)}, **common)


def _problem(plane: Tried, id: str) -> str | None:
    """What it fails for; None once the workflow is completed."""
    now = busy = time.monotonic()
    deadline = now + SECONDS
    while (now := time.monotonic()) < deadline:
        shown = plane.get(id)
        if shown["state"] == "completed":
            return None
        if shown["state"] in WORKFLOW.terminal:
            return NO_CALL if _was_silent(plane, id) else _why(shown)
        problem = _stands(plane, id)
        if problem is None:
            busy = now
        elif now - busy > IDLE_SECONDS:
            return problem
        time.sleep(LOOK_SECONDS)
    return f"no end after {SECONDS:.0f} s"


def _was_silent(plane: Tried, id: str) -> bool:
    return bool(plane.read_events(id, types=("agent.silent",)).events)


def _why(shown: dict[str, Any]) -> str:
    failures = [task["failure"] for task in shown["tasks"] if task["failure"]]
    return str(next(iter(failures), None) or shown["reason"] or shown["state"])


def _stands(plane: Tried, id: str) -> str | None:
    """Why nothing will happen soon, though the workflow still runs."""
    agents = [agent for agent in plane.agents(id) if agent["provider"] != "builtin"]
    for agent in agents:
        if agent["held_until"] and agent["pid"] is None:
            return f"it is limited until {agent['held_until']}: {agent['error'] or 'see providers'}"
        idle = agent["status"] == "ready" and not agent["queued_messages"]
        if agent["role"] == "coordinator" and agent["turns"] and idle:
            return NO_CALL
    return None
