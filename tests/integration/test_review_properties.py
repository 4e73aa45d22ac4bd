"""The nevers of the review cycle, under random calls of random agents."""

import random
import shutil
import tempfile
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule
from hypothesis.stateful import run_state_machine_as_test as run_machine

from perles.domain.errors import PerlesError
from perles.domain.states import AGENT
from perles.engine.team import leaving
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.transaction import Tx
from perles.store.transition import fire
from perles.tasks import answers
from perles.tasks.reports import has_report
from tests.integration.review_world import ID, ReviewWorld
from tests.postgres.homes import another

OPEN = 3
"""Tasks that are worked on side by side."""
STEPS = 800
WORKERS = 4
HOLDS_A_TASK = ("in_progress", "in_review", "approved", "denied", "committing")


Acts = Sequence[tuple[str, Callable[[], object]]]
"""What can be tried, each with its kind."""


class Play:
    """Random agents; after each step all that must hold is looked at."""

    def __init__(self, root: Path) -> None:
        self.world = ReviewWorld(root, workers=WORKERS, max_review_rounds=2)
        self.approved: set[tuple[str, int]] = set()
        self.done = self.committed = 0
        self.refused = 0
        self.keys: list[str] = []
        self.made = 0
        while len(self.keys) < OPEN:
            self.create()

    def create(self) -> None:
        """One more task."""
        self.made += 1
        self.keys.append(f"t{self.made}")
        self.world.create(self.keys[-1], retries=1)

    def step(self, pick: Callable[[int], int]) -> None:
        """One agent, or the person, does something that may be wrong."""
        before = {task.key: task for task in self.world.tasks()}
        key = self.keys[pick(OPEN)]
        if before[key].status in ("done", "failed") and pick(3) == 0:
            self.keys.remove(key)
            self.create()
            return
        one, other = self.name(before[key], pick), self.name(before[key], pick)
        kind = pick(10)
        if kind < 5:
            one, other = self.right(before[key], pick)
            acts = self.next_acts(before[key], one, other)
        else:
            acts = self.accidents(key, one) if kind == 9 else self.acts(key, one, other)
        what, act = acts[pick(len(acts))]
        try:
            act()
        except PerlesError:
            self.refused += 1
            return
        self.check_step(what, before)

    def name(self, task: Task, pick: Callable[[int], int]) -> str:
        """A worker: often one that has to do with the task."""
        agents = {agent.id: agent for agent in self.world.agents() if agent.role == "worker"}
        near = [task.implementer_id, task.reviewer_id, None][pick(3)]
        if near is not None:
            return agents[near].name
        live = [agent.name for agent in agents.values() if agent.status != "retired"]
        return live[pick(len(live))]

    def right(self, task: Task, pick: Callable[[int], int]) -> tuple[str, str]:
        """Who has the task, and who reviews it; for either a free worker, where there is none."""
        agents = self.world.agents()
        free = [one.name for one in agents if one.role == "worker" and _is_free(one)]
        names = {agent.id: agent.name for agent in agents}
        spare = free[pick(len(free))] if free else "worker-1"
        reviewed = task.status == "in_review"
        return (
            names.get(task.implementer_id or 0, spare),
            names.get(task.reviewer_id or 0, spare) if reviewed else spare,
        )

    def next_acts(self, task: Task, one: str, other: str) -> Acts:
        """What brings a task on, whose worker is `one`."""
        world, report = self.world, "report_implementation_complete"
        about = {"task_id": task.key, "implementer_id": one}
        tell = ("report", lambda: world.call(one, report, summary="done", exit_code=0))
        review = {"reviewer_id": other, "summary": "look", **about}
        steps: dict[str, Acts] = {
            "ready": [
                ("assign", lambda: world.lead("assign_task", task_id=task.key, worker_id=other))
            ],
            "in_progress": [tell, ("review", lambda: world.lead("assign_task_review", **review))],
            "in_review": [
                ("approve", lambda: world.decide("APPROVED", by=other)),
                ("deny", lambda: world.decide("DENIED", by=other)),
            ],
            "denied": [
                ("rework", lambda: world.lead("assign_review_feedback", feedback="x", **about))
            ],
            "approved": [("commit", lambda: world.lead("approve_commit", **about))],
            "committing": [
                tell,
                ("complete", lambda: world.lead("mark_task_complete", task_id=task.key)),
            ],
        }
        back: Acts = [("back", lambda: self.back(one)), ("back", lambda: self.back(other))]
        return steps.get(task.status, back)

    def acts(self, key: str, one: str, other: str) -> Acts:
        """All that can be tried. `one` and `other` are workers, right or wrong."""
        world, report = self.world, "report_implementation_complete"
        review = {"task_id": key, "reviewer_id": one, "implementer_id": other, "summary": "look"}
        about = {"task_id": key, "implementer_id": one}
        return [
            ("assign", lambda: world.lead("assign_task", task_id=key, worker_id=one)),
            ("assign", lambda: world.lead("assign_task", task_id=key, worker_id=other)),
            ("report", lambda: world.call(one, report, summary="done", exit_code=0)),
            ("report", lambda: world.call(one, report, summary="done", exit_code=0)),
            ("report", lambda: world.call(other, report, summary="no", exit_code=1)),
            ("review", lambda: world.lead("assign_task_review", **review)),
            ("review", lambda: world.lead("assign_task_review", **review)),
            ("approve", lambda: world.decide("APPROVED", by=other)),
            ("deny", lambda: world.decide("DENIED", by=one)),
            ("rework", lambda: world.lead("assign_review_feedback", feedback="x", **about)),
            ("commit", lambda: world.lead("approve_commit", **about)),
            ("complete", lambda: world.lead("mark_task_complete", task_id=key)),
            ("back", lambda: self.back(one)),
            ("back", lambda: self.back(other)),
            ("person", lambda: self.write(lambda tx: answers.approve(tx, ID, key, None))),
        ]

    def accidents(self, key: str, one: str) -> Acts:
        """What interrupts the work."""
        world = self.world
        return [
            ("fail", lambda: world.lead("mark_task_failed", task_id=key, reason="x")),
            ("reopen", lambda: world.lead("reopen_task", task_id=key, reason="x")),
            ("blocked", lambda: world.call(one, "report_blocked", reason="x")),
            ("replace", lambda: self.replace(one)),
            ("stop", lambda: self.leave(one, leaving.stop)),
            ("crash", lambda: self.crash(one)),
            ("person", lambda: self.write(lambda tx: answers.deny(tx, ID, key, "no"))),
        ]

    def write(self, work: Callable[[Tx], object]) -> None:
        """One transaction."""
        self.world.write(work)

    def replace(self, name: str) -> None:
        """A fresh worker in the place of one; not without end."""
        if len(self.world.agents()) < 60:
            self.world.replace(name)

    def leave(self, name: str, how: Callable[..., str]) -> None:
        """A person stops a worker."""
        self.write(lambda tx: how(tx, tx.need(Agent, self.world.agent(name).id), by="you"))

    def crash(self, name: str) -> None:
        """A worker's turn fails."""

        def fail(tx: Tx) -> None:
            fire(tx, AGENT, self.world.agent(name).id, "deliver")
            fire(tx, AGENT, self.world.agent(name).id, "turn_failed")

        self.write(fail)

    def back(self, name: str) -> None:
        """A worker that was stopped, or failed, goes on."""
        agent = self.world.agent(name)
        trigger: Any = "retry" if agent.status == "failed" else "resume"
        self.write(lambda tx: fire(tx, AGENT, agent.id, trigger))

    def check_step(self, what: str, before: dict[str, Any]) -> None:
        """What a step may change."""
        for task in self.world.tasks():
            was = before[task.key]
            if was.version == task.version and was.implementer_id == task.implementer_id:
                continue
            attempt = (task.key, task.attempt)
            if task.status == "approved":
                assert what in ("approve", "person") or was.status == "approved"
                self.approved.add(attempt)
            if task.status == "committing":
                assert attempt in self.approved, "a commit before an approval"
                self.committed += was.status != "committing"
            if task.status == "done" and was.status != "done":
                self.done += 1
                assert was.status in ("in_progress", "approved", "committing")
                assert was.verdict != "denied", "a denied task was completed"
                assert was.status != "committing" or has_report(was)
            if was.status in HOLDS_A_TASK and task.status in HOLDS_A_TASK and what != "replace":
                taken = what == "assign" and task.attempt == was.attempt + 1
                assert taken or task.implementer_id == was.implementer_id

    def check(self) -> None:
        """What holds at every moment."""
        agents = {agent.id: agent for agent in self.world.agents()}
        tasks = {task.id: task for task in self.world.tasks()}
        for task in tasks.values():
            holders = [one for one in agents.values() if one.task_id == task.id]
            reviewers = [one for one in holders if one.phase == "reviewing"]
            others = [one for one in holders if one.phase != "reviewing"]
            assert len(others) <= 1, "two implementers of one task"
            assert len(reviewers) <= 1, "two reviewers of one task"
            assert all(one.id == task.implementer_id for one in others)
            assert all(one.id == task.reviewer_id for one in reviewers)
            assert task.implementer_id is None or task.implementer_id != task.reviewer_id
            assert not reviewers or task.status == "in_review"
            if task.status in ("done", "failed", "ready", "pending"):
                assert holders == [], "an end that frees nobody"
            phases = PHASES.get(task.status)
            if phases is not None:
                assert {one.phase for one in others} <= phases
        for agent in agents.values():
            assert (agent.phase == "idle") == (agent.task_id is None), "stuck in a phase"
            assert agent.status != "retired" or agent.phase == "idle"
            assert agent.blocked is None or agent.task_id is not None

    def finish(self) -> None:
        """Nobody is stuck: whatever came before, every task can be brought to its end."""
        for agent in self.world.agents():
            if agent.role == "worker" and agent.status in ("failed", "stopped"):
                self.back(agent.name)
        for task in self.world.tasks():
            if task.status not in ("done", "failed", "skipped"):
                self.world.lead("mark_task_failed", task_id=task.key, reason="the end")
            if self.world.task(task.key).status == "ready":
                self.world.lead("mark_task_failed", task_id=task.key, reason="the end")
        assert {agent.phase for agent in self.world.agents()} == {"idle"}


def _is_free(agent: Agent) -> bool:
    return agent.phase == "idle" and agent.status == "ready"


PHASES = {
    "in_progress": {"implementing", "awaiting_review", "addressing_feedback"},
    "in_review": {"awaiting_review"},
    "denied": {"awaiting_review"},
    "approved": {"awaiting_review"},
    "waiting_for_user": {"awaiting_review"},
    "committing": {"committing"},
}


def play(root: Path, seed: int, steps: int) -> Play:
    """So many random steps, all looked at."""
    made, chooser = Play(root), random.Random(seed)
    for number in range(steps):
        made.step(chooser.randrange)
        made.check()
        if number % 200 == 199:
            made.finish()
    made.finish()
    return made


@pytest.mark.parametrize("seed", [3])
def test_random_agents_break_none_of_the_nevers(tmp_path: Path, migrated: Path, seed: int) -> None:
    shutil.copy(migrated, tmp_path / "perles.db")
    made = play(tmp_path, seed, STEPS)

    assert len(made.approved) > 5
    assert made.committed > 2
    assert made.done > 5
    assert made.refused > STEPS // 10
    made.world.close()


def test_hypothesis_breaks_none_of_the_nevers(
    migrated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Machine(RuleBasedStateMachine):
        """Shrinks what it finds to few steps."""

        @initialize()
        def begin(self) -> None:
            self.opened = ExitStack()
            self.opened.enter_context(another(monkeypatch))
            self.folder = tempfile.TemporaryDirectory()
            shutil.copy(migrated, Path(self.folder.name) / "perles.db")
            self.play = Play(Path(self.folder.name))

        @rule(data=st.data())
        def step(self, data: Any) -> None:
            self.play.step(lambda count: int(data.draw(st.integers(0, count - 1))))

        @invariant()
        def holds(self) -> None:
            if hasattr(self, "play"):
                self.play.check()

        def teardown(self) -> None:
            if hasattr(self, "play"):
                self.play.finish()
                self.play.world.close()
                self.folder.cleanup()
                self.opened.close()

    checks = [HealthCheck.too_slow, HealthCheck.data_too_large, HealthCheck.filter_too_much]
    run_machine(
        Machine,
        settings=settings(
            max_examples=5, stateful_step_count=40, deadline=None, suppress_health_check=checks
        ),
    )
