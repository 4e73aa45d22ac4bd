"""The engine leads workflows of commands: what a task's end costs does not grow with the plan."""

import asyncio
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from itertools import pairwise
from pathlib import Path

import pytest

from perles.access.origin import Origin
from perles.domain.commands import StopAgent
from perles.domain.states import AGENT, TURN
from perles.engine.commands import queue, registry
from perles.engine.context import Context
from perles.engine.coordination.conductor import Conductor
from perles.engine.team import leaving
from perles.engine.team.reminders import look_at_workflow
from perles.engine.turns.start import begin
from perles.fabric import messages
from perles.store import migrate, statements
from perles.store.expressions import select
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.engine import Command
from perles.store.schema.tasks import Task, TaskDependency
from perles.store.schema.workflows import Workflow
from perles.store.sql import Sql
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import reports
from perles.tasks.reports import Printed
from perles.workflows.commands import append_command
from tests.integration.cli import DEADLINE
from tests.integration.test_replacement import ID, Stage
from tests.postgres.effort import effort
from tests.postgres.effort import statements as statements_of
from tests.postgres.homes import another, is_on


class Led(Stage):
    """A workflow that the engine leads; its worker has the task `a` in hand."""

    def __init__(self, root: Path) -> None:
        super().__init__(root)
        self.context.served.add(ID)
        self.conductor = self.context.conductor = Conductor(self.context)

    def plan(self, count: int, *, deep: bool) -> None:
        """More tasks: all after `a`, or each after the one before."""

        def insert(tx: Tx) -> None:
            (first,) = tx.all(Task, statements.TASKS_OF, workflow_id=ID)
            made = [first.id] + [
                tx.insert(
                    Task, workflow_id=ID, key=f"t{n}", title="T", status="pending", run="true"
                )
                for n in range(count)
            ]
            for before, after in pairwise(made):
                blocker = before if deep else first.id
                tx.insert(TaskDependency, task_id=after, depends_on_id=blocker)
            tx.update(Workflow, ID, max_workers=1)

        self.database.write(insert)

    def work(self) -> list[str]:
        """The worker ends its task well, and begins what it is given; the keys it has then."""

        def end(tx: Tx) -> list[str]:
            self._end_turn(tx)
            worker = tx.need(Agent, self.worker.id)
            assert reports.may_report(tx, worker)
            reports.record(tx, worker, "exit 0", 0, Printed([], ""), tells=False)
            for id in self.conductor.advance(tx, tx.need(Agent, self.coordinator.id), worker.id):
                assert begin(tx, self.context, id) is not None
            task = tx.need(Agent, self.worker.id).task_id
            return [] if task is None else [tx.need(Task, task).key]

        return self.database.write(end)

    def _end_turn(self, tx: Tx) -> None:
        for row in tx.rows(Sql(select(Turn.id).where(Turn.status == "starting"))):
            fire(tx, TURN, row["id"], "run")
            fire(tx, TURN, row["id"], "succeed", changes={"ended_at": tx.now})
            tx.run(statements.SETTLE_MESSAGES, turn_id_=row["id"], status_="done", now_=tx.now)
            fire(tx, AGENT, self.worker.id, "turn_ended")

    def cost(self) -> tuple[int, int]:
        """What the end of one task costs now: statements, and what the database does for them."""
        connection = self.database._writer_connection()
        asked = statements_of(connection)
        work = effort(connection, self.work)
        return len(asked), work


@pytest.fixture
def led(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[], Led]]:
    stages: list[Led] = []
    databases = ExitStack()

    def made() -> Led:
        databases.enter_context(another(monkeypatch))
        root = tmp_path / str(len(stages))
        root.mkdir()
        migrate.ensure(root / "perles.db")
        stages.append(Led(root))
        return stages[-1]

    yield made
    for stage in stages:
        stage.database.dispose()
    databases.close()


@pytest.mark.parametrize("deep", [True, False], ids=["each after the one before", "side by side"])
def test_what_a_task_costs_does_not_grow_with_the_plan(led: Callable[[], Led], deep: bool) -> None:
    costs = []
    for count in (30, 1500):
        stage = led()
        stage.plan(count, deep=deep)
        for _ in range(4):
            stage.work()
        costs.append(stage.cost())

    (few, steps), (many, more_steps) = costs
    assert many == few
    # A server may look through the keys of tasks in their order for the next one.
    assert is_on() or more_steps < 1.3 * steps


def test_the_tasks_go_in_their_order_and_the_workflow_ends(led: Callable[[], Led]) -> None:
    stage = led()
    stage.plan(3, deep=True)

    assert [stage.work() for _ in range(4)] == [["t0"], ["t1"], ["t2"], []]

    kinds = [row["kind"] for row in stage.context.reader.rows(Sql(select(Command.kind)))]
    assert kinds == ["complete"]


def test_a_worker_that_has_failed_fails_its_task(led: Callable[[], Led]) -> None:
    stage = led()

    def lose(tx: Tx) -> None:
        fire(tx, AGENT, stage.worker.id, "stop")
        stage.conductor.hear(tx, stage.coordinator.id)

    stage.database.write(lose)

    (task,) = stage.context.reader.all(Task, statements.TASKS_OF, workflow_id=ID)
    assert (task.status, task.failure) == ("failed", "worker-1 ended: no report")
    assert stage.messages(stage.coordinator) == [], "what it was told is read"


@pytest.mark.parametrize(
    ("task", "led_by_engine"),
    [
        ({"run": "true"}, True),
        ({"run": None, "assignee": "human"}, True),
        ({"run": None}, False),
        ({"run": "true", "execution": '{"check":{"commands":["true"],"timeout":60}}'}, False),
    ],
    ids=["a command", "a person's", "a prompt", "a check"],
)
def test_only_what_needs_no_agent_is_led(
    led: Callable[[], Led], task: dict[str, str | None], led_by_engine: bool
) -> None:
    stage = led()
    stage.database.write(
        lambda tx: tx.insert(Task, workflow_id=ID, key="b", title="B", status="pending", **task)
    )

    assert stage.conductor.leads(stage.context.reader, stage.coordinator) is led_by_engine
    assert not stage.conductor.leads(stage.context.reader, stage.worker)


@pytest.mark.parametrize("is_led", [True, False], ids=["the engine leads", "an agent leads"])
def test_what_is_looked_for_while_a_command_is_under_way_is_looked_for_again_after_it(
    led: Callable[[], Led], monkeypatch: pytest.MonkeyPatch, is_led: bool
) -> None:
    """Nobody is asked or reminded while a person's command may bring things on; then nobody was."""
    stage = led()
    stage.plan(0, deep=False)
    if not is_led:
        add = {"workflow_id": ID, "key": "b", "title": "B", "status": "pending", "run": None}
        stage.database.write(lambda tx: tx.insert(Task, **add))
    told = "user.notification" if is_led else "agent.reminded"

    async def stop(context: Context, _command: Command, _asked: StopAgent) -> dict[str, str]:
        def halt(tx: Tx) -> None:
            leaving.stop(tx, tx.need(Agent, stage.worker.id), by="the user")
            for message in stage.messages(stage.coordinator):
                messages.drop(tx, message.id)
            if is_led:
                stage.conductor.hear(tx, stage.coordinator.id)
            else:
                look_at_workflow(tx, ID)

        await context.writer.write(halt)
        assert stage.events(told) == [], "the command is under way still"
        return {}

    monkeypatch.setitem(registry.ACTIONS, "agent.stop", stop)

    async def carry_out() -> None:
        commands = queue.Commands(stage.context)
        stage.context.writer.start()
        try:
            commands.poll()
            async with asyncio.timeout(DEADLINE):
                await commands.settle()
        finally:
            stage.context.writer.close()

    asker = Origin(uid=0, pid=1, tty=None, agent=None)
    stage.database.write(lambda tx: append_command(tx, ID, StopAgent(agent="worker-1"), asker))
    asyncio.run(carry_out())

    assert len(stage.events(told)) == 1
