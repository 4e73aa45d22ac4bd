"""The table of commands: every entry is whole, and all who read it give the same answer."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import typer

from perles.access.origin import Origin
from perles.cli import agent
from perles.cli.root import ENTRIES
from perles.controlplane.outcomes import Outcome, Request, outcome_of
from perles.controlplane.plane import ControlPlane
from perles.dashboard.model import slash, verbs
from perles.domain import commands
from perles.domain.commands import COMMANDS
from perles.domain.duration import GRACE
from perles.domain.errors import UsageError, WrongStateError
from perles.domain.states import WORKFLOW
from perles.engine.commands.queue import Commands
from perles.engine.commands.registry import ACTIONS
from perles.store import statements
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.store.schema.engine import Command
from perles.store.schema.questions import Question
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.workflows.commands import append_by_engine, append_command
from tests import ports
from tests.integration.scheduler_world import World, without_processes

PERSON = Origin(0, 1, None, None)
BY_ENGINE_ONLY = {"complete", "reload", "stay"}
"""These have no method that asks a workflow: `reload_config` and the host of the engine do."""
IN_LINE = "paused, in line"
ARGUMENTS: dict[str, dict[str, Any]] = {
    "send": {"text": "hi", "to": "coordinator"},
    "post": {"text": "hi"},
    "approve": {"task": "ok"},
    "deny": {"task": "ok", "message": "no"},
    "answer": {"question": 1, "text": "yes"},
    "rename": {"name": "n"},
    "label": {"add": {"a": "b"}},
    "agent.stop": {"agent": "worker-1"},
    "agent.resume": {"agent": "worker-1"},
    "agent.retire": {"agent": "worker-1"},
    "agent.replace": {"agent": "worker-1"},
}


@pytest.fixture
def world(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[World]:
    """An engine's memory over an empty database."""
    without_processes(monkeypatch)
    shutil.copy(migrated, tmp_path / "perles.db")
    made = World(tmp_path, ports.SCHEDULER)
    yield made
    made.close()


async def _workflow_in(world: World, state: str) -> str:
    """A workflow in this state with a worker, as far as it has begun, and a task that waits."""
    id = world.request(1)
    if state == "pending":
        world.write(lambda tx: tx.update(Workflow, id, start_requested_at=None))
    else:
        await world.context.supervisor.start(id)
        assert world.spawn(id)
    gate = {"key": "ok", "title": "ok", "status": "waiting_for_user", "assignee": "human"}
    world.write(lambda tx: tx.insert(Task, workflow_id=id, **gate))
    worker = world.reader.first(Agent, statements.COORDINATOR_OF, workflow_id=id)
    if worker is not None:
        asks = {"agent_id": worker.id, "asked_by": worker.name, "text": "why?"}
        world.write(lambda tx: tx.insert(Question, workflow_id=id, **asks))
    if state.startswith("paused"):
        await world.pause(id)
    if state == IN_LINE:
        world.write(lambda tx: tx.update(Workflow, id, start_requested_at=tx.now))
    trigger = {"completed": "complete", "failed": "fail", "stopped": "stop"}.get(state)
    if trigger is not None:
        await world.end(id, trigger)
    return id


async def _carried_out(world: World, command_id: int) -> Command:
    """A command after the engine's queue has carried it out."""
    queue = Commands(world.context)
    queue.poll()
    await queue.settle()
    row = world.reader.need(Command, command_id)
    assert "internal error" not in (row.error or "")
    return row


@pytest.mark.parametrize("state", [*WORKFLOW.states, IN_LINE])
@pytest.mark.parametrize("kind", [kind for kind in COMMANDS if COMMANDS[kind].states])
async def test_a_client_and_the_engine_agree_on_every_command_in_every_state(
    world: World, kind: str, state: str
) -> None:
    asked = commands.from_mapping(kind, ARGUMENTS.get(kind, {}))
    id = await _workflow_in(world, state)
    if kind == "agent.resume" and state == "running":
        stop = commands.StopAgent(agent="worker-1")
        await _carried_out(world, world.write(lambda tx: append_command(tx, id, stop, PERSON)))

    try:
        command_id = world.write(lambda tx: append_command(tx, id, asked, PERSON))
        allowed = True
    except WrongStateError:
        command_id = world.write(lambda tx: append_by_engine(tx, id, asked))
        allowed = (kind, state) == ("start", "running")
        """The line may have admitted it before its command's turn: then it is done."""

    row = await _carried_out(world, command_id)
    assert (row.status != "rejected") == allowed, row.error


def test_every_command_has_a_handler_and_every_handler_a_command() -> None:
    assert COMMANDS.keys() == ACTIONS.keys()


class _Recorder(ControlPlane):
    """Keeps what its methods ask instead of asking it."""

    def __init__(self, home: Path) -> None:
        super().__init__(home)
        self.asked: list[commands.Command] = []

    def ask(self, ref: str, command: commands.Command) -> Request:
        """Note it."""
        self.asked.append(command)
        return Request(ref, 0, command.kind)

    def outcome(
        self,
        request: Request,
        *,
        with_engine: bool = False,
        give_up: Callable[[], bool] = lambda: False,
    ) -> Outcome:
        """It is done."""
        return Outcome(request.workflow_id, "succeeded", "")


def test_every_command_has_a_method_of_the_control_plane(tmp_path: Path) -> None:
    plane = _Recorder(tmp_path)

    for method in (plane.start, plane.pause, plane.resume, plane.stop, plane.archive, plane.set):
        method("wf-1")
    plane.fail("wf-1", "why")
    plane.rename("wf-1", "n")
    plane.label("wf-1", {"a": "b"})
    plane.send("wf-1", "hi")
    plane.post("wf-1", "hi")
    plane.approve("wf-1", "ok")
    plane.deny("wf-1", "ok", "no")
    plane.answer("wf-1", "yes", 1)
    for verb in commands.ON_AGENTS:
        plane.agent("wf-1", verb, "worker-1")

    assert {one.kind for one in plane.asked} == COMMANDS.keys() - BY_ENGINE_ONLY


def test_every_command_that_a_person_gives_is_on_the_command_line() -> None:
    names = {kind for kind in COMMANDS.keys() - BY_ENGINE_ONLY if "." not in kind}
    on_agents = set(typer.main.get_command(agent.app).commands)  # type: ignore[attr-defined]

    assert names <= ENTRIES.keys()
    assert on_agents == commands.ON_AGENTS.keys()


def test_the_dashboard_has_the_verbs_of_the_table() -> None:
    assert {name.removeprefix("/") for name in slash.ON_AGENTS} == commands.ON_AGENTS.keys()
    assert verbs.states_for("start") == {"pending", "paused"}
    for verb in set(verbs.KEYS.values()) - {"start", "retry"}:
        assert verbs.states_for(verb) == COMMANDS[verb].states


@pytest.mark.parametrize("kind", [kind for kind in COMMANDS if COMMANDS[kind].states])
def test_every_command_says_what_was_done(kind: str) -> None:
    result = {"status": "x", "sent": "worker-1", "task": "ok", "agent": "worker-1", "by": "{}"}
    result |= {"question": "1", "post": "1", "channel": "general", "aside": ""}
    result |= {"name": "n"}

    assert "wf-1" in outcome_of("wf-1", kind, result).text


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_row_is_read_as_it_was_written(kind: str) -> None:
    asked = commands.from_mapping(kind, ARGUMENTS.get(kind, {}))

    assert commands.from_row(kind, journal.encode(asked)) == asked


@pytest.mark.parametrize(
    ("kind", "args", "command"),
    [
        ("start", "{}", commands.Start()),
        ("stop", "{}", commands.Stop(force=False, grace=GRACE)),
        (
            "stop",
            '{"reason":"x","force":true,"grace":3}',
            commands.Stop(reason="x", force=True, grace=3.0),
        ),
        ("fail", '{"reason":"x","now":true}', commands.Fail(reason="x", now=True)),
        ("agent.spawn", "{}", commands.SpawnAgent()),
        ("set", '{"priority":"low","of_later":1}', commands.Set(priority="low")),
    ],
)
def test_rows_of_other_releases_are_read(kind: str, args: str, command: commands.Command) -> None:
    assert commands.from_row(kind, args) == command


def test_rows_keep_the_keys_that_they_had() -> None:
    written = [
        (commands.Start(), "{}"),
        (commands.Start(no_wait=True), '{"no_wait":true}'),
        (commands.Stop(), '{"reason":null,"force":false,"grace":10.0}'),
        (commands.Fail(reason="x"), '{"reason":"x"}'),
        (commands.Set(), '{"priority":null,"token_budget":null,"cost_budget":null}'),
        (commands.Approve(task="a"), '{"task":"a","message":null}'),
        (commands.Send(text="a", to="b"), '{"text":"a","to":"b"}'),
        (
            commands.StopAgent(agent="a"),
            '{"agent":"a","reason":"","provider":null,"force":false}',
        ),
    ]

    assert [journal.encode(one) for one, _ in written] == [text for _, text in written]


@pytest.mark.parametrize(
    ("kind", "args"),
    [("stop", {"grace": None}), ("stop", {"grace": -1}), ("deny", {"task": "a"}), ("dance", {})],
)
def test_arguments_that_cannot_be_are_refused(kind: str, args: dict[str, Any]) -> None:
    with pytest.raises(UsageError):
        commands.from_mapping(kind, args)


async def test_a_row_that_cannot_be_read_fails_and_ends_no_engine(world: World) -> None:
    id = await _workflow_in(world, "running")
    values = {"workflow_id": id, "kind": "stop", "args": '{"grace":null}', "source": "user"}
    command_id = world.write(lambda tx: tx.insert(Command, **values))

    row = await _carried_out(world, command_id)

    assert (row.status, "cannot stop" in (row.error or "")) == ("failed", True)
