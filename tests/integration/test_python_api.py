"""The façade, as a script uses it."""

import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from perles import ControlPlane, WorkflowSpec
from perles.domain.errors import (
    AmbiguousIdError,
    MaintenanceRunsError,
    NotFoundError,
    UsageError,
    WrongStateError,
)
from perles.maintenance.lock import alone
from tests.integration.cli import Home


@pytest.fixture
def plane(home: Home, monkeypatch: pytest.MonkeyPatch) -> ControlPlane:
    for name, value in home.environ.items():
        if name.startswith("PERLES_"):
            monkeypatch.setenv(name, value)
    home.pipeline("p", [{"key": "a", "run": "true"}])
    return ControlPlane()


def _spec(home: Home, **more: object) -> WorkflowSpec:
    values = {
        "template_id": "pipeline",
        "work_dir": str(home.work),
        "args": {"file": str(home.work / "p.yaml")},
    }
    return WorkflowSpec(**(values | more))  # type: ignore[arg-type]


def test_what_was_asked_for_is_what_is_stored(plane: ControlPlane, home: Home) -> None:
    id = plane.create(
        _spec(
            home,
            name="nightly",
            priority="high",
            labels={"team": "core"},
            token_budget=1000,
        )
    )

    shown = plane.get(id)

    assert (shown["name"], shown["priority"], shown["labels"]) == (
        "nightly",
        "high",
        {"team": "core"},
    )
    assert (shown["token_budget"], shown["work_dir"]) == (1000, str(home.work))


def test_a_branch_of_its_own_needs_a_repository(plane: ControlPlane, home: Home) -> None:
    with pytest.raises(UsageError, match=r"cannot make a worktree of .*not a git repository"):
        plane.create(_spec(home, git_branch="feature/x"))

    assert plane.list() == []


def test_list_takes_the_filters_of_the_command_line(plane: ControlPlane, home: Home) -> None:
    id = plane.create(_spec(home, labels={"a": "b"}))
    plane.create(_spec(home))

    assert [row["id"] for row in plane.list(labels=[("a", "b")])] == [id]
    assert plane.list(states=["running"]) == []
    assert len(plane.list(states="pending,running")) == 2
    assert [row["id"] for row in plane.list(labels={"a": "b"}, states="pending")] == [id]
    assert len(plane.list(limit=1)) == 1


@pytest.mark.parametrize(
    ("filters", "said"),
    [
        ({"states": "runing"}, "did you mean 'running'"),
        ({"states": ["pending", 3]}, "cannot filter by state 3"),
        ({"labels": ["a=b"]}, "give labels as a mapping"),
        ({"labels": [("a", "b", "c")]}, "give labels as a mapping"),
        ({"priority": "urgent"}, "cannot filter by priority"),
        ({"limit": 0}, "limit is 1 or more"),
        ({"state": "running"}, "did you mean 'states'"),
    ],
)
def test_a_wrong_filter_is_named(plane: ControlPlane, filters: dict[str, Any], said: str) -> None:
    with pytest.raises(UsageError, match=said):
        plane.list(**filters)


def test_events_take_globs_in_one_text(plane: ControlPlane, home: Home) -> None:
    plane.create(_spec(home))

    def kinds(types: str | list[str]) -> set[str]:
        events = plane.subscribe(since=0, types=types, stop=lambda: True)
        return {event["type"].partition(".")[0] for event in events}

    assert kinds("task.*") == {"task"}
    assert kinds("task.*, workflow.*") == kinds(["task.*,workflow.*"]) == {"task", "workflow"}


def test_a_script_carries_a_workflow_to_its_end(plane: ControlPlane, home: Home) -> None:
    id = plane.create(_spec(home))
    assert plane.ensure_engine()
    assert plane.start(id).status == "succeeded"

    types = [
        event["type"]
        for event in plane.subscribe(
            workflow=id, since=0, stop=lambda: plane.state_of(id) == "completed"
        )
    ]

    assert types[0] == "workflow.created"
    assert "workflow.completed" in types


def test_mistakes_are_classes(plane: ControlPlane, home: Home) -> None:
    with pytest.raises(UsageError):
        plane.create(WorkflowSpec(template_id="nope"))
    with pytest.raises(NotFoundError):
        plane.get("wf-nope")
    plane.create(_spec(home))
    id = plane.create(_spec(home))
    with pytest.raises(AmbiguousIdError):
        plane.get("p")
    with pytest.raises(WrongStateError):
        plane.pause(id)


def test_stop_works_without_an_engine(plane: ControlPlane, home: Home) -> None:
    id = plane.create(_spec(home))

    assert plane.stop(id, reason="not needed").status == "succeeded"

    assert (plane.get(id)["state"], plane.get(id)["reason"]) == ("stopped", "not needed")
    assert not plane.engine_runs()


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("template_id", None),
        ("template_id", 3),
        ("name", b"x"),
        ("goal", "\udcff"),
        ("labels", {"a": "\udcff"}),
        ("work_dir", "/tmp/\udcff"),
        ("priority", 2),
        ("labels", ["a=b"]),
        ("labels", {"a": 3}),
        ("token_budget", "many"),
        ("token_budget", True),
        ("token_budget", 2**63),
        ("cost_budget", None),
        ("work_dir", 3),
        ("workers", 2.5),
        ("args", {"file": 3}),
        ("git_branch", 1),
    ],
)
def test_a_spec_of_a_wrong_type_names_the_field(
    plane: ControlPlane, home: Home, field: str, value: object
) -> None:
    with pytest.raises(UsageError, match=f"cannot use {field}=.*: it must be "):
        plane.create(_spec(home, **{field: value}))

    assert plane.list() == []


def test_upkeep_by_the_facade(plane: ControlPlane, home: Home, tmp_path: Path) -> None:
    new = ControlPlane(tmp_path / "new")
    with pytest.raises(NotFoundError, match="database"):
        new.backup()
    new.vacuum()
    assert new.schemas().database is None
    assert new.migrate()
    assert not new.migrate()
    assert new.schemas().database == new.schemas().program
    id = plane.create(_spec(home))
    plane.stop(id)

    assert plane.stats()["workflows"]["stopped"] == 1
    assert plane.check(alone=True) == []
    assert plane.repair() == []
    copy = plane.backup(tmp_path / "copy.db")
    assert copy.stat().st_size > 0
    for _ in range(3):
        kept = plane.backup(keep=2)
    assert len(list(kept.parent.glob("*.db"))) == 2
    assert plane.prune(older_than=0, dry_run=True)["pruned"] == [id]
    assert plane.state_of(id) == "stopped"
    assert plane.prune(older_than=0)["pruned"] == [id]
    plane.vacuum()
    assert plane.list() == []


def test_upkeep_runs_one_at_a_time(plane: ControlPlane, home: Home, tmp_path: Path) -> None:
    plane.create(_spec(home))
    runs: list[Callable[[], object]] = [
        lambda: plane.check(alone=True),
        plane.repair,
        lambda: plane.prune(older_than=0),
        lambda: plane.backup(tmp_path / "copy.db"),
        plane.vacuum,
    ]
    with alone(plane.database_path):
        for run in runs:
            with pytest.raises(MaintenanceRunsError):
                run()
        assert plane.check() == []


def test_waiting_for_the_end_of_a_workflow(plane: ControlPlane, home: Home) -> None:
    id = plane.create(_spec(home))
    assert plane.wait(id, timeout=0)["state"] == "pending"

    plane.start(id, with_engine=True)

    assert plane.wait(id, timeout=60)["state"] == "completed"
    assert plane.wait(id)["state"] == "completed"
    assert [turn.status for turn in plane.logs(id) if turn.agent != "coordinator"] == ["succeeded"]
    with pytest.raises(NotFoundError):
        plane.wait("wf-nope")


def test_filtered_subscriptions_and_their_cursor(plane: ControlPlane, home: Home) -> None:
    one = plane.create(_spec(home, name="one", labels={"team": "core"}))
    plane.create(_spec(home, name="two"))

    def created(**wanted: Any) -> list[str | None]:
        events = plane.subscribe_filtered(
            types="workflow.created", since=0, stop=lambda: True, **wanted
        )
        return [event["workflow_id"] for event in events]

    assert created(labels={"team": "core"}) == created(workflows="one") == [one]
    assert len(created()) == len(created(workflows=["one", "two"])) == 2
    assert created(exclude="workflow.*") == []
    assert created(labels={"team": "core"}, cursor="c") == [one]
    assert created(labels={"team": "core"}, cursor="c") == []
    assert plane.forget_cursor("c")
    types = {event["type"] for event in plane.subscribe_workflow("one", since=0, stop=lambda: True)}
    assert "workflow.created" in types


def test_who_hosts_no_engine_loads_no_event_loop() -> None:
    code = "import sys, perles.cli.wait; assert 'asyncio' not in sys.modules"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.returncode == 0, done.stderr
