"""`from perles import …`: the typed interface, as the programs of docs/python.md use it."""

import json
import math
import pickle
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import perles
from perles import (
    ControlPlane,
    ControlPlaneEvent,
    DatabaseError,
    EventFilter,
    ListQuery,
    NotFoundError,
    StopOptions,
    UsageError,
    WorkflowInstance,
    WorkflowPriority,
    WorkflowSpec,
    WorkflowState,
    WrongStateError,
    aio,
    events,
)
from perles.api.aio_plane import THREADS
from perles.store.reads.connection import reading
from tests.integration.cli import Home

DEADLINE = 180.0


@pytest.fixture
def spec(home: Home, monkeypatch: pytest.MonkeyPatch) -> Callable[..., WorkflowSpec]:
    """Makes specs of a pipeline with one quick task, in the home that this process has."""
    for name, value in home.environ.items():
        if name.startswith("PERLES_"):
            monkeypatch.setenv(name, value)
    path = str(home.pipeline("p", [{"key": "a", "run": "true"}]))

    def make(**more: Any) -> WorkflowSpec:
        values = {"template_id": "pipeline", "work_dir": str(home.work), "args": {"file": path}}
        return WorkflowSpec(**(values | more))

    return make


Spec = Callable[..., WorkflowSpec]


def test_the_first_example(spec: Spec) -> None:
    with ControlPlane(host_engine=True) as cp:
        id = cp.create(spec(name="nightly", labels={"team": "core"}, priority="high"))
        cp.start(id)
        seen = []
        with cp.subscribe_workflow(id, since=0) as following:
            for event in following:
                seen.append(event.type)
                if event.type in (events.WORKFLOW_COMPLETED, events.WORKFLOW_FAILED):
                    break
        done = cp.wait(id, timeout=DEADLINE)

        assert done.state is WorkflowState.COMPLETED
        assert done.tasks[0].status == "done"
        assert seen[0] == "workflow.created"
        assert events.TASK_COMPLETED in seen
        (running,) = cp.list(ListQuery(states=[WorkflowState.COMPLETED], labels={"team": "core"}))
        assert running == cp.list(states="completed")[0]
    assert not cp.engine_runs()


def test_the_engine_that_runs_is_used(spec: Spec, home: Home) -> None:
    home.perles("serve", "--detach")
    with ControlPlane(host_engine=True) as cp:
        id = cp.create(spec())
        assert cp.start(id).status == "succeeded"
        assert cp.wait(id, timeout=DEADLINE).state == "completed"
    assert cp.engine_runs()


def test_shutdown_pauses_what_runs(spec: Spec, home: Home) -> None:
    slow = str(home.pipeline("slow", [{"key": "a", "run": "sleep 100"}]))
    with ControlPlane(host_engine=True) as cp:
        id = cp.create(spec(args={"file": slow}))
        cp.start(id)
        assert cp.wait(id, states="running", timeout=DEADLINE).mcp_port is not None

        cp.shutdown()

        found = cp.get(id)
        assert (found.state, found.mcp_port) == (WorkflowState.PAUSED, None)
        assert not cp.engine_runs()
        stopped = cp.stop(id, StopOptions(reason="not needed", grace=1.0))
        assert stopped.status == "succeeded"
        assert cp.get(id).reason == "not needed"


def test_an_instance_has_typed_fields_and_its_json(spec: Spec) -> None:
    cp = ControlPlane()
    before = datetime.now(UTC) - timedelta(seconds=1)
    id = cp.create(spec(name="n", labels={"a": "b"}, priority="high", token_budget=7))

    (one,) = cp.list()

    assert isinstance(one, WorkflowInstance)
    assert (one.id, one.name, one.template_id) == (id, "n", "pipeline")
    assert one.state == "pending"
    assert isinstance(one.state, WorkflowState)
    assert one.priority == "high"
    assert isinstance(one.priority, WorkflowPriority)
    assert one.labels == {"a": "b"}
    assert one.token_budget == 7
    assert before < one.created_at <= one.updated_at
    assert one.created_at.utcoffset() == timedelta(0)
    assert (one.started_at, one.mcp_port, one.last_heartbeat_at) == (None, None, None)
    assert one.last_progress_at is None
    assert one.session.folder is None
    assert one.task_counts == cp.get(id).task_counts == (1, 0, 0)
    assert json.loads(json.dumps(one.to_dict())) == one
    assert one["state"] == "pending"
    assert pickle.loads(pickle.dumps(one)) == one
    assert {one: 1}[cp.list()[0]] == 1
    assert id in repr(one)


def test_values_are_frozen(spec: Spec) -> None:
    cp = ControlPlane()
    cp.create(spec())
    one = cp.list()[0]

    with pytest.raises(AttributeError, match="is frozen"):
        one.name = "x"  # type: ignore[misc]
    with pytest.raises(AttributeError, match="is frozen"):
        del one.name
    with pytest.raises(TypeError):
        one["name"] = "x"  # type: ignore[index]
    one.to_dict()["labels"]["x"] = "y"
    assert one.labels == {}
    event = cp.subscribe(since=0).get(timeout=DEADLINE)
    assert event is not None
    with pytest.raises(TypeError):
        event.payload["x"] = 1  # type: ignore[index]


def _any(**given: Any) -> Any:
    return given


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda cp: cp.list(states="runing"), "did you mean 'running'"),
        (lambda cp: cp.list(ListQuery(), states="running"), "a query and by keywords"),
        (lambda cp: cp.list({"states": "running"}), "give a ListQuery"),
        (lambda cp: cp.list(offset=-1), "offset is a number"),
        (lambda cp: cp.list(**_any(labels=["a"])), "labels as a mapping"),
        (lambda cp: StopOptions(**_any(grace="30s")), "it is seconds"),
        (lambda cp: StopOptions(**_any(reason=3)), "must be text"),
        (lambda cp: cp.stop("x", {"force": True}), "give StopOptions"),
        (lambda cp: cp.stop("x", StopOptions(force=True), reason="r"), "put all into one"),
        (lambda cp: cp.subscribe(since="3"), "the seq of an event"),
        (lambda cp: cp.subscribe(types=3), "give a text or several"),
        (lambda cp: cp.subscribe(types="a,").get(0), None),
        (lambda cp: cp.subscribe_filtered(EventFilter(types="a"), types="b"), "put all into one"),
        (lambda cp: cp.subscribe_filtered("task.*"), "give an EventFilter"),
        (lambda cp: cp.subscribe(cursor=""), "cannot use the cursor"),
        (lambda cp: cp.subscribe().commit(), "it has no cursor|has no cursor"),
        (lambda cp: cp.wait("x", states="done"), "cannot wait for state done"),
        (lambda cp: cp.wait("x", **_any(timeout="3")), "it is seconds"),
        (lambda cp: cp.shutdown(**_any(timeout="3")), "it is seconds"),
        (lambda cp: cp.subscribe().get(**_any(timeout="3")), "it is seconds"),
        *(
            (lambda cp, wrong=wrong: cp.list(**_any(**wrong)), "cannot filter by")
            for wrong in (
                *({"labels": given} for given in (5, [5], "team", {"a": 5}, {5: "a"})),
                *({"states": 5}, {"name": 5}, {"template_id": 5}, {"filter_by": 5}),
            )
        ),
        (lambda cp: cp.wait("x", timeout=math.nan), "it is seconds"),
        (lambda cp: cp.shutdown(**_any(timeout=None)), "it is seconds"),
        (lambda cp: cp.stop_engine(**_any(timeout="3")), "it is seconds"),
        (lambda cp: cp.wait("x", **_any(states=3)), "cannot wait for state 3"),
        (lambda cp: cp.mark_read("x", "general", **_any(up_to="x")), "give a post's id"),
        (lambda cp: cp.label("x", **_any(add=3)), "give a mapping"),
        (lambda cp: cp.ack(**_any(numbers=3)), "give the seqs"),
        (lambda cp: EventFilter(**_any(labels=5)), "give labels as a mapping"),
        (lambda cp: cp.create(_any(goal="x")), "give a WorkflowSpec"),
        *(
            (lambda cp, verb=verb, ref=ref: getattr(cp, verb)(ref), "give its id or its name")
            for verb in ("get", "start", "pause", "resume", "retry", "stop", "wait", "tasks")
            for ref in (5, b"x", ["x"])
        ),
    ],
)
def test_wrong_use_is_a_clear_error(
    spec: Spec, wrong: Callable[[ControlPlane], object], said: str | None
) -> None:
    if said is None:
        wrong(ControlPlane())
        return
    with pytest.raises(UsageError, match=said):
        wrong(ControlPlane())


@pytest.mark.parametrize(
    ("wrong", "said"),
    [
        (lambda cp, id: cp.send(id, 5), "cannot send 5: give a text"),
        (lambda cp, id: cp.send(id, "x", to=5), "cannot send: Expected `str`, got `int`"),
        (lambda cp, id: cp.post(id, 5), "cannot post 5: give a text"),
        (lambda cp, id: cp.approve(id, 5), "cannot approve: Expected `str`, got `int`"),
        (lambda cp, id: cp.deny(id, "a", 5), "cannot deny: Expected `str`, got `int`"),
        (lambda cp, id: cp.set(id, cost_budget="a"), "cannot set: Expected `float"),
    ],
)
def test_an_argument_of_a_wrong_type_is_refused_before_it_is_queued(
    spec: Spec, wrong: Callable[[ControlPlane, str], object], said: str
) -> None:
    cp = ControlPlane()
    id = cp.create(spec())
    before = cp.read_events().last
    with pytest.raises(UsageError, match=said):
        wrong(cp, id)
    assert cp.read_events().last == before
    with reading(cp.database_path) as connection:
        assert connection is not None
        assert connection.execute("SELECT count(*) FROM commands").fetchone()[0] == 0


def test_errors_are_classes(spec: Spec) -> None:
    cp = ControlPlane()
    id = cp.create(spec())

    with pytest.raises(NotFoundError):
        cp.get("wf-nope")
    with pytest.raises(NotFoundError):
        cp.subscribe(workflow="wf-nope")
    with pytest.raises(WrongStateError):
        cp.pause(id)
    for name in perles.__all__:
        assert getattr(perles, name) is not None
    assert issubclass(DatabaseError, perles.PerlesError)
    with pytest.raises(AttributeError):
        _ = perles.Nothing


def test_list_takes_limits_and_offsets(spec: Spec) -> None:
    cp = ControlPlane()
    ids = [cp.create(spec(name=f"n{number}")) for number in range(4)][::-1]

    assert [one.id for one in cp.list(limit=2, offset=1)] == ids[1:3]
    assert [one.id for one in cp.list(ListQuery(offset=3))] == ids[3:]


def test_a_subscription_is_closed_from_another_thread(spec: Spec) -> None:
    cp = ControlPlane()
    cp.create(spec())
    following = cp.subscribe()
    seen: list[ControlPlaneEvent] = []
    reader = threading.Thread(target=lambda: seen.extend(following))
    reader.start()

    id = cp.create(spec())
    _until(lambda: bool(seen))
    following.close()
    reader.join(DEADLINE)

    assert not reader.is_alive()
    assert following.closed
    assert following.get(timeout=DEADLINE) is None
    assert {event.workflow_id for event in seen} == {id}


def test_get_waits_as_long_as_it_is_told(spec: Spec) -> None:
    cp = ControlPlane()
    with cp.subscribe() as following:
        begun = time.monotonic()
        assert following.get(timeout=0) is None
        assert following.get(timeout=0.05) is None
        assert time.monotonic() - begun >= 0.05
        id = cp.create(spec())
        event = following.get(timeout=DEADLINE)
    assert event is not None
    assert (event.type, event.workflow_id) == ("workflow.created", id)
    assert isinstance(event.at, datetime)


def test_filters_of_types_workflows_and_labels(spec: Spec) -> None:
    cp = ControlPlane()
    one = cp.create(spec(name="one", labels={"team": "core"}))
    two = cp.create(spec(name="two"))

    def found(wanted: EventFilter) -> set[tuple[str | None, str]]:
        following = cp.subscribe_filtered(wanted, since=0, stop=lambda: True)
        return {(event.workflow_id, event.type.partition(".")[0]) for event in following}

    assert found(EventFilter(types="task.*")) == {(one, "task"), (two, "task")}
    assert found(EventFilter(exclude="task.*", workflows="two")) == {(two, "workflow")}
    assert found(EventFilter(labels={"team": "core"}, types=["task.*"])) == {(one, "task")}
    with cp.subscribe_filtered(EventFilter(labels={"team": "new"}, types="w*")) as live:
        cp.create(spec(name="other"))
        new = cp.create(spec(name="new", labels={"team": "new"}))
        event = live.get(timeout=DEADLINE)
    assert event is not None
    assert event.workflow_id == new


def test_a_cursor_goes_on_where_it_was_committed(spec: Spec) -> None:
    cp = ControlPlane()
    for _ in range(3):
        cp.create(spec())

    def rest(**how: Any) -> list[int]:
        types = events.WORKFLOW_CREATED
        return [event.seq for event in cp.subscribe(types=types, stop=lambda: True, **how)]

    seqs = rest(since=0)
    with cp.subscribe(
        since=0, types=events.WORKFLOW_CREATED, cursor="c", autocommit=False
    ) as following:
        next(following)
        following.commit()
        next(following)

    assert rest(cursor="c") == seqs[1:]
    assert rest(cursor="c") == []


def test_events_are_named(spec: Spec) -> None:
    from perles.domain.events import EVENT_TYPES

    named = {value for name, value in vars(events).items() if name.isupper()}
    assert named == EVENT_TYPES


_FOLLOWERS = r"""
import os, sys
from perles import ControlPlane
begin, last, count = map(int, sys.argv[1:])

def follow():
    with ControlPlane() as cp, cp.subscribe(since=begin) as following:
        os.write(1, b"ready\n")
        seen = []
        for event in following:
            seen.append(str(event.seq))
            if event.seq >= last:
                os.write(1, (" ".join(seen) + "\n").encode())
                return

children = []
for _ in range(count):
    child = os.fork()
    if not child:
        try:
            follow()
        finally:
            os._exit(0)
    children.append(child)
for child in children:
    os.waitpid(child, 0)
"""
"""Follows the journal in so many processes: forks of one, which are cheap. Each tells when it has
begun, and then in one line, short enough for a pipe, what it saw."""
PROCESSES = 50


def test_all_subscribers_see_one_order(spec: Spec) -> None:
    """A hundred threads here and fifty other processes: each event once, in one order."""
    cp = ControlPlane()
    cp.create(spec())
    begin, count = cp.last_seq(), 20
    first = cp.subscribe(since=0, stop=lambda: True)
    per_workflow = len(list(first))
    last = begin + count * per_workflow
    seen: list[list[int]] = [[] for _ in range(100)]

    def follow(mine: list[int]) -> None:
        with cp.subscribe(since=begin) as following:
            for event in following:
                mine.append(event.seq)
                if event.seq >= last:
                    return

    threads = [threading.Thread(target=follow, args=(mine,)) for mine in seen]
    command = [sys.executable, "-c", _FOLLOWERS, str(begin), str(last), str(PROCESSES)]
    others = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    for thread in threads:
        thread.start()
    assert others.stdout is not None
    assert [others.stdout.readline() for _ in range(PROCESSES)] == ["ready\n"] * PROCESSES
    for _ in range(count):
        cp.create(spec())
    for thread in threads:
        thread.join(DEADLINE)
    told = others.communicate(timeout=DEADLINE)[0].splitlines()

    wanted = list(range(begin + 1, last + 1))
    assert all(mine == wanted for mine in seen)
    assert told == [" ".join(map(str, wanted))] * PROCESSES


async def test_the_same_from_an_event_loop(spec: Spec) -> None:
    async with aio.ControlPlane(host_engine=True) as cp:
        id = await cp.create(spec(name="nightly"))
        seen = []
        async with cp.subscribe_workflow(id, since=0) as following:
            assert (await cp.start(id)).status == "succeeded"
            async for event in following:
                seen.append(event.type)
                if event.type == events.WORKFLOW_COMPLETED:
                    break
        done = await cp.wait(id, timeout=DEADLINE)
        assert done.state == WorkflowState.COMPLETED
        assert (await cp.list(states="completed"))[0].id == id
        assert [task.key for task in await cp.tasks(id)] == ["a"]
        with pytest.raises(WrongStateError):
            await cp.stop(id)
        assert await cp.call(ControlPlane.questions) == []
        assert seen[0] == events.WORKFLOW_CREATED
        assert following.closed
        assert threading.active_count() < 40


async def test_many_tasks_subscribe_in_one_loop_without_threads(spec: Spec) -> None:
    import asyncio

    async with aio.ControlPlane() as cp:
        await cp.create(spec())
        before = threading.active_count()
        subscriptions = [cp.subscribe() for _ in range(100)]
        waiting = [asyncio.ensure_future(one.get(DEADLINE)) for one in subscriptions]
        closed = asyncio.ensure_future(_all(cp.subscribe(types="nothing.*")))
        await asyncio.sleep(0)
        id = await cp.create(spec())
        found = await asyncio.gather(*waiting)

        assert {event.workflow_id for event in found if event} == {id}
        assert len({event.seq for event in found if event}) == 1
        assert threading.active_count() <= before + 1 + THREADS  # the hub, and the pool
        closed.cancel()
        for one in subscriptions:
            one.close()
        assert await subscriptions[0].get() is None


async def test_an_async_cursor(spec: Spec) -> None:
    async with aio.ControlPlane() as cp:
        for _ in range(3):
            await cp.create(spec())

        async def take(count: int) -> list[int]:
            how: dict[str, Any] = {"types": events.WORKFLOW_CREATED, "cursor": "c"}
            async with cp.subscribe(since=0, **how) as following:
                found = [await following.get(DEADLINE if count else 0) for _ in range(count)]
            return [event.seq for event in found if event]

        first, rest = await take(2), await take(1)
        assert first < rest
        assert len(first + rest) == 3
        async with cp.subscribe(cursor="c", types=events.WORKFLOW_CREATED) as following:
            assert await following.get(timeout=0.2) is None


async def _all(following: Any) -> list[Any]:
    return [event async for event in following]


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + DEADLINE
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.01)


GOOD = """
from datetime import datetime
from perles import ControlPlane, EventFilter, ListQuery, StopOptions, WorkflowSpec, WorkflowState
from perles import aio, events

with ControlPlane(host_engine=True) as cp:
    id: str = cp.create(WorkflowSpec(template_id="pipeline", args={"file": "x.yaml"}))
    cp.start(id)
    for one in cp.list(ListQuery(states=[WorkflowState.RUNNING], labels={"a": "b"})):
        began: datetime | None = one.started_at
    cp.list(states="running", labels={"a": "b"})
    with cp.subscribe_filtered(EventFilter(types=events.TASK_COMPLETED), cursor="c") as following:
        for event in following:
            seq: int = event.seq
            following.commit()
    cp.stop(id, StopOptions(reason="enough", grace=5))

async def main() -> None:
    async with aio.ControlPlane() as cp:
        async for event in cp.subscribe(types="task.*"):
            when: datetime = event.at
        state: WorkflowState = (await cp.wait("x", timeout=1)).state
"""
BAD = [
    "cp.create('pipeline')",
    "WorkflowSpec(template='pipeline')",
    "WorkflowSpec(args=['a'])",
    "cp.list(ListQuery(state='running'))",
    "cp.list(state='running')",
    "cp.list(limit='3')",
    "cp.get('x').stat",
    "cp.get('x').name = 'y'",
    "cp.get('x').started_at.isoformat()",
    "cp.list()[0].tasks",
    "cp.stop('x', StopOptions(grace='5s'))",
    "cp.stop('x', force='yes')",
    "cp.start(3)",
    "cp.subscribe(since='3')",
    "cp.subscribe_filtered(EventFilter(type='x'))",
    "cp.subscribe().get(timeout='1')",
    "events.TASK_COMPLETE",
    "acp.get('x').state",
    "for _ in acp.subscribe(): pass",
]


def test_a_type_checker_finds_misuse(tmp_path: Path) -> None:
    head = (
        "from perles import ControlPlane, EventFilter, ListQuery, StopOptions, WorkflowSpec\n"
        "from perles import aio, events\n\n\n"
        "def use(cp: ControlPlane, acp: aio.ControlPlane) -> None:\n"
    )
    lines = head.count("\n")
    (tmp_path / "bad.py").write_text(head + "".join(f"    {line}\n" for line in BAD))
    (tmp_path / "good.py").write_text(GOOD)
    root = Path(perles.__file__).parents[1]
    # With the settings and the cache of `make lint`: it is quick after that.
    settings = [f"--config-file={root / 'pyproject.toml'}", f"--cache-dir={root / '.mypy_cache'}"]
    files = [str(tmp_path / "good.py"), str(tmp_path / "bad.py")]
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--no-error-summary", *settings, *files],
        cwd=root,
        capture_output=True,
        text=True,
    )

    found = {line.split(":")[1] for line in done.stdout.splitlines() if ": error:" in line}
    assert "good.py" not in done.stdout
    assert found == {str(lines + number) for number in range(1, len(BAD) + 1)}, done.stdout
