"""Start, pause, resume and end of workflows, by the supervisor's own code and rows."""

import asyncio
import socket
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from perles.domain.errors import LimitReachedError, PerlesError, WrongStateError
from perles.domain.states import AGENT
from perles.engine.supervision import finals
from perles.engine.supervision.finals import Finals
from perles.store import statements
from perles.store.events import journal
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.transition import fire
from tests.integration.health_world import HealthWorld
from tests.integration.repositories import git, repository


def _row(world: HealthWorld, id: str) -> Workflow:
    return world.reader.need(Workflow, id)


def _queued_ends(world: HealthWorld) -> list[tuple[str, str]]:
    query = "SELECT workflow_id, kind FROM commands WHERE status = 'queued' ORDER BY id"
    return [(row[0], row[1]) for row in world.connection.execute(query)]


def _statuses(world: HealthWorld, id: str) -> dict[str, str]:
    return {
        task.key: task.status
        for task in world.reader.all(Task, statements.TASKS_OF, workflow_id=id)
    }


def _events(world: HealthWorld, type: str) -> list[dict[str, Any]]:
    query = "SELECT payload FROM events WHERE type = ? ORDER BY seq"
    return [journal.decode(row[0]) for row in world.connection.execute(query, (type,))]


def test_a_workflow_that_runs_is_not_started_twice(world: HealthWorld) -> None:
    async def run() -> None:
        id = await world.begin()

        assert await world.context.supervisor.start(id) == {"status": "running"}
        assert len(_events(world, "workflow.started")) == 1

    asyncio.run(run())


def test_a_workflow_whose_folder_is_gone_fails_instead_of_starting(
    world: HealthWorld, tmp_path: Path
) -> None:
    id = world.request(1)
    world.write(lambda tx: tx.update(Workflow, id, work_dir=str(tmp_path / "gone")))

    with pytest.raises(PerlesError, match="its work dir is gone"):
        asyncio.run(world.context.supervisor.start(id))

    assert _row(world, id).state == "failed"
    assert world.reader.rows(statements.OPEN_TURNS) == []


def test_one_that_must_not_wait_is_refused_where_it_would(world: HealthWorld) -> None:
    async def run() -> None:
        world.limit(max_workflows_running=1)
        await world.begin()
        id = world.request(1)

        with pytest.raises(LimitReachedError, match="without --no-wait it waits"):
            await world.context.supervisor.start(id, wait=False)
        assert _row(world, id).reason is None

        told = await world.context.supervisor.start(id)
        assert told == {"status": "waiting", "reason": "waiting: 1 of 1 workflows run"}

    asyncio.run(run())


def test_one_that_left_the_line_is_not_admitted(world: HealthWorld) -> None:
    id = world.request(1)
    world.write(lambda tx: tx.update(Workflow, id, start_requested_at=None))

    assert asyncio.run(world.context.supervisor.admit(id)) == {"status": "pending"}
    assert _row(world, id).state == "pending"


def test_a_paused_workflow_whose_folder_is_gone_stays_paused(
    world: HealthWorld, tmp_path: Path
) -> None:
    async def run() -> None:
        id = await world.begin()
        await world.pause(id)
        gone = str(tmp_path / "gone")
        world.write(lambda tx: tx.update(Workflow, id, work_dir=gone, start_requested_at=tx.now))

        with pytest.raises(PerlesError, match=f"its work dir {gone} is gone; put it back"):
            await world.context.supervisor.resume(id)

        assert (_row(world, id).state, _row(world, id).start_requested_at) == ("paused", None)

    asyncio.run(run())


def test_a_resume_that_must_not_wait_is_refused_and_leaves_the_line(world: HealthWorld) -> None:
    async def run() -> None:
        world.limit(max_workflows_running=1)
        id = await world.begin()
        await world.pause(id)
        await world.begin()

        with pytest.raises(LimitReachedError, match="cannot resume"):
            await world.context.supervisor.resume(id, wait=False)
        assert _row(world, id).start_requested_at is None

        assert not await world.resume(id)
        assert _row(world, id).start_requested_at is not None
        assert await world.context.supervisor.pause(id) == {"status": "paused"}
        assert (_row(world, id).start_requested_at, _row(world, id).reason) == (None, None)

    asyncio.run(run())


def test_a_port_that_was_lost_is_replaced_and_so_are_the_tokens(world: HealthWorld) -> None:
    async def run() -> None:
        id = await world.begin()
        before, token = _row(world, id).mcp_port, world.agent(id).token
        world.restart()
        assert before is not None
        with closing(socket.create_server(("127.0.0.1", before))):
            assert await world.context.supervisor.reopen(_row(world, id))
        after = _row(world, id).mcp_port
        await world.context.supervisor.settle_ports()

        assert after != before
        assert world.agent(id).token != token
        assert world.context.is_open(id)
        leased = world.connection.execute("SELECT value FROM leases WHERE kind = 'port'")
        assert [row[0] for row in leased] == [after]

    asyncio.run(run())


def test_a_workflow_that_finds_no_port_after_a_crash_is_paused(world: HealthWorld) -> None:
    async def run() -> None:
        id = await world.begin()
        port = _row(world, id).mcp_port
        assert port is not None
        world.limit(port_range_start=port, port_range_end=port)
        world.restart()
        with closing(socket.create_server(("127.0.0.1", port))):
            assert not await world.context.supervisor.reopen(_row(world, id))

        row = _row(world, id)
        assert row.state == "paused"
        assert row.reason == f"no free port in {port}-{port}, when the engine came back"

    asyncio.run(run())


def _with_finally(world: HealthWorld, id: str) -> None:
    """Work, what waits for it, and a task that comes last."""
    world.add_task(id, "work")
    world.add_task(id, "clean", stage=1)


def test_the_last_tasks_run_before_a_stop_and_the_others_are_skipped(world: HealthWorld) -> None:
    async def run() -> None:
        id = await world.begin()
        _with_finally(world, id)
        assert _statuses(world, id) == {"work": "ready", "clean": "pending"}

        told = await world.context.supervisor.end(id, "stop", reason="enough", command=7)

        assert (told["status"], told["finally"]) == ("waiting", ["clean"])
        assert "asked again, it ends at once" in told["reason"]
        assert _statuses(world, id) == {"work": "skipped", "clean": "ready"}
        assert _row(world, id).state == "running"
        # The same command, carried out again by an engine that came later, begins nothing anew.
        again = await world.context.supervisor.end(id, "stop", reason="enough", command=7)
        assert again == told
        assert len(_events(world, "workflow.ending")) == 1

        assert await world.context.supervisor.end(id, "fail", reason="no") == {"status": "stop"}
        row = _row(world, id)
        assert (row.state, row.reason) == ("stopped", "enough")
        assert _statuses(world, id) == {"work": "skipped", "clean": "skipped"}

    asyncio.run(run())


def test_the_turn_on_a_task_that_comes_last_goes_on_when_its_workflow_is_stopped(
    world: HealthWorld,
) -> None:
    async def run() -> None:
        id = await world.begin()
        worker = await world.give(id, "work")
        world.add_task(id, "clean", stage=1)
        world.write(
            lambda tx: tx.update(
                Task, tx.need(Agent, world.agent(id, worker).id).task_id or 0, stage=1
            )
        )

        await world.context.supervisor.end(id, "stop", reason=None)

        assert [live.agent for live in world.turns.of(id)] == [worker]

    asyncio.run(run())


def test_a_workflow_that_completes_needs_no_last_words(world: HealthWorld) -> None:
    async def run() -> None:
        id = await world.begin()
        _with_finally(world, id)

        assert await world.context.supervisor.end(id, "complete", reason=None) == {
            "status": "complete"
        }

    asyncio.run(run())


def test_a_paused_workflow_goes_on_for_its_last_tasks(world: HealthWorld) -> None:
    async def run() -> None:
        id = await world.begin()
        _with_finally(world, id)
        await world.pause(id)

        told = await world.context.supervisor.end(id, "stop", reason=None)

        assert told["status"] == "waiting"
        assert _row(world, id).state == "running"

    asyncio.run(run())


def test_a_paused_workflow_that_cannot_go_on_ends_without_its_last_tasks(
    world: HealthWorld, tmp_path: Path
) -> None:
    async def run() -> None:
        id = await world.begin()
        _with_finally(world, id)
        await world.pause(id)
        world.write(lambda tx: tx.update(Workflow, id, work_dir=str(tmp_path / "gone")))

        assert await world.context.supervisor.end(id, "stop", reason=None) == {"status": "stop"}
        assert _row(world, id).state == "stopped"

    asyncio.run(run())


def test_without_an_engine_the_last_tasks_wait_for_one(world: HealthWorld) -> None:
    async def run() -> None:
        id = await world.begin()
        _with_finally(world, id)
        await world.pause(id)
        world.context.is_errand = True

        told = await world.context.supervisor.end(id, "stop", reason=None)

        assert told["reason"].endswith("and no engine runs; start one with perles serve")
        row = _row(world, id)
        assert (row.state, row.reason) == ("paused", "waiting: an engine")
        assert row.start_requested_at is not None

    asyncio.run(run())


def test_last_tasks_that_take_too_long_are_cut_off(
    world: HealthWorld, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = [100.0]
    monkeypatch.setattr(finals, "time", SimpleNamespace(monotonic=lambda: now[0]))

    async def run() -> None:
        late = Finals(world.context)
        await late.look()
        assert late.seconds_left() is None
        id = await world.begin()
        _with_finally(world, id)
        await world.context.supervisor.end(id, "stop", reason=None)
        world.connection.execute("DELETE FROM commands")

        await late.look()
        assert late.seconds_left() == finals.FINALLY_SECONDS
        now[0] += finals.FINALLY_SECONDS - 1
        await late.look()
        assert (late.seconds_left(), _queued_ends(world)) == (1.0, [])
        now[0] += 1
        await late.look()
        await late.look()

        assert _queued_ends(world) == [(id, "stop")]

    asyncio.run(run())


def test_an_end_that_is_forced_skips_the_last_tasks(world: HealthWorld) -> None:
    async def run() -> None:
        id = await world.begin()
        _with_finally(world, id)

        await world.context.supervisor.end(id, "stop", reason=None, at_once=True)

        assert _row(world, id).state == "stopped"
        with pytest.raises(WrongStateError):
            await world.context.supervisor.end(id, "stop", reason=None)

    asyncio.run(run())


def _in_worktree(world: HealthWorld, repo: Path, id: str) -> Path:
    path = world.context.paths.root / "trees" / id
    values = {
        "worktree_enabled": 1,
        "repository": str(repo),
        "branch": f"perles-{id}",
        "base_branch": "main",
        "worktree_path": str(path),
        "work_dir": str(path),
    }
    world.write(lambda tx: tx.update(Workflow, id, **values))
    return path


def test_a_worktree_is_made_when_its_workflow_starts(world: HealthWorld, tmp_path: Path) -> None:
    repo = repository(tmp_path / "repo")
    id = world.request(1)
    path = _in_worktree(world, repo, id)

    asyncio.run(world.context.supervisor.start(id))

    assert git(path, "branch", "--show-current") == f"perles-{id}"
    assert _row(world, id).base_commit == git(repo, "rev-parse", "main")


def test_a_worktree_that_cannot_be_made_fails_its_workflow(
    world: HealthWorld, tmp_path: Path
) -> None:
    id = world.request(1)
    _in_worktree(world, repository(tmp_path / "repo"), id)
    world.write(lambda tx: tx.update(Workflow, id, base_branch="nowhere"))

    with pytest.raises(PerlesError, match="its worktree cannot be made: there is no 'nowhere'"):
        asyncio.run(world.context.supervisor.start(id))

    assert _row(world, id).state == "failed"
    assert world.connection.execute("SELECT count(*) FROM leases").fetchone()[0] == 0


def test_a_start_that_fails_late_takes_its_worktree_away_again(
    world: HealthWorld, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    id = world.request(1)
    path = _in_worktree(world, repository(tmp_path / "repo"), id)

    def broken(*_given: Any) -> None:
        raise RuntimeError("a fault in the transaction")

    monkeypatch.setattr("perles.engine.supervision.supervisor.started", broken)
    with pytest.raises(RuntimeError):
        asyncio.run(world.context.supervisor.start(id))

    assert not path.exists()
    assert _row(world, id).state == "pending"


def test_where_worktrees_use_all_they_may_a_start_waits(world: HealthWorld, tmp_path: Path) -> None:
    repo, id = repository(tmp_path / "repo"), world.request(1)
    _in_worktree(world, repo, id)
    config = world.context.config
    space = replace(config.worktree_space, max_bytes=100)
    world.context.config = replace(config, worktree_space=space)
    folder = world.context.paths.worktrees_dir()
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "big").write_bytes(b"x" * 1000)

    told = asyncio.run(world.context.supervisor.start(id))

    assert told["status"] == "waiting"
    assert "perles worktrees clean makes room" in told["reason"]


def test_an_agent_that_stopped_is_no_end_of_a_pause(world: HealthWorld) -> None:
    """A stopped agent is neither paused nor resumed with its workflow."""

    async def run() -> None:
        id = await world.begin()
        worker = await world.give(id, "a")
        (live,) = [one for one in world.turns.of(id) if one.agent == worker]
        await world.finish(live, "succeed")
        agent = world.agent(id, worker)
        world.write(lambda tx: fire(tx, AGENT, agent.id, "stop"))
        await world.pause(id)
        await world.resume(id)

        assert world.agent(id, worker).status == "stopped"
        assert world.agent(id).status == "ready"

    asyncio.run(run())
