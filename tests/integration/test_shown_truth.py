"""Nothing that is shown is wrong: signs of life, endings in words, the inbox, who is next."""

import re
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest

from perles.agents import prompts
from perles.domain.provider_choice import AGENT_TYPES
from perles.engine.health import ladder, worker_ladder
from perles.engine.resources.worker_slots import worker_line
from perles.engine.team import nudges
from perles.mcp.tools.by_role import TOOLS_BY_ROLE
from perles.store.database import Database
from perles.store.reads import inbox, resources
from perles.store.schema.workflows import Workflow
from perles.store.sqlite.driver import dbapi
from tests.integration.cli import DEADLINE, Home
from tests.integration.crew import Crew
from tests.integration.health_world import HealthWorld

ID = "wf-cccccccc"


def _row(home: Home, query: str) -> Any:
    with closing(dbapi.connect(home.database)) as connection, connection:
        return connection.execute(query).fetchone()


def test_what_starts_with_the_engine_has_signs_of_life_at_once(home: Home) -> None:
    file = home.pipeline("p", [{"key": "a", "run": "until [ -e go ]; do sleep 0.05; done"}])
    run = home.popen("run", file)

    home.wait_for("a running task", lambda: home.events("--type", "task.assigned"))
    query = "SELECT last_heartbeat_at, last_progress_at, mcp_port FROM workflows"
    assert all(_row(home, query))

    (home.work / "go").touch()
    run.communicate(timeout=DEADLINE)
    assert run.returncode == 0
    assert _row(home, "SELECT mcp_port FROM workflows") == (None,)
    assert [event["agent"] for event in home.events("--type", "coordinator.ready")] == [
        "coordinator"
    ]


async def test_what_is_heard_before_the_first_sweep_counts(world: HealthWorld) -> None:
    id = await world.begin()
    world.restart()
    world.clock.advance(7)
    world.say(world.live(id))
    heard = world.database.now()
    world.clock.advance(3)

    await world.monitor.sweep()

    assert world.reader.need(Workflow, id).last_heartbeat_at == heard


@pytest.mark.parametrize(
    ("run", "timeout", "told"),
    [
        ("sleep 30", "200ms", "timed out after 0.2s"),
        ("kill -SEGV $$", None, "killed by SIGSEGV"),
        ("sh -c 'kill -KILL $$'; exit $?", None, "exit 137: killed by SIGKILL"),
        ("exit 3", None, "exit 3"),
    ],
)
def test_how_a_task_failed_is_told_in_words_by_every_door(
    home: Home, run: str, timeout: str | None, told: str
) -> None:
    task = {"key": "a", "run": run} | ({"timeout": timeout} if timeout else {})

    done = home.perles("run", home.pipeline("p", [task]))

    id = home.only()
    assert done.returncode == 1
    assert f"a failed: {told}" in done.stdout
    assert home.json("show", id, "--json")["tasks"][0]["failure"] == told
    assert f"a failed: {told}" in home.perles("show", id).stdout
    assert home.events("--type", "task.failed")[0]["payload"]["reason"] == told


def test_an_error_is_not_pushed_out_by_a_progress_bar(home: Home) -> None:
    bar = "i=0; while [ $i -lt 3000 ]; do printf '%d of 3000\\r' $i; i=$((i+1)); done; echo"
    file = home.pipeline("p", [{"key": "a", "run": f"echo no such file; {bar}; exit 1"}])

    home.perles("run", file)

    (task,) = home.json("show", home.only(), "--json")["tasks"]
    assert task["output_tail"] == ["no such file", "2999 of 3000"]
    logs = home.perles("logs", home.only(), "--agent", "worker-1").stdout.splitlines()
    assert logs[1:] == ["no such file", "2999 of 3000"]
    assert ": succeeded, its task failed: exit 1, " in logs[0]


def test_the_inbox_forgets_what_is_over(crew: Crew) -> None:
    stuck, over = {"silent_s": 300}, []

    def told(id: str, type: str, payload: dict[str, Any], **about: Any) -> None:
        crew.event(type, payload, at=crew.now, workflow_id=id, **about)

    warning = {"percent": 80, "budget": "token", "used": 8, "limit": 10, "scope": "workflow"}
    for id, state, health, type, payload in (
        ("wf-stopped", "stopped", "stuck", "health.stuck", stuck),
        ("wf-recovers", "running", "healthy", "health.stuck", stuck),
        ("wf-spent", "completed", "healthy", "resource.budget_warning", warning),
        ("wf-retried", "failed", "healthy", "workflow.failed", {"reason": "x"}),
    ):
        ended = crew.at() if state in ("stopped", "completed", "failed") else None
        crew.workflow(id, state, health=health, ended_at=ended)
        told(id, type, payload)
        over.append(id)
    crew.workflow("wf-again", "pending", retried_from="wf-retried")
    for id, state, health in (("wf-stuck", "running", "stuck"), ("wf-failed", "failed", "stuck")):
        crew.workflow(id, state, health=health, ended_at=crew.at() if state == "failed" else None)
    told("wf-stuck", "health.stuck", stuck)
    told("wf-failed", "workflow.failed", {"reason": "x"})
    for name, status, active in (
        ("worker-1", "running", crew.at(minutes=5)),
        ("worker-2", "interrupted", crew.at(minutes=5)),
        ("worker-3", "running", crew.at(minutes=-1)),
    ):
        agent = crew.agent("wf-aaaaaaaa", name, last_activity_at=active)
        turn = crew.turn("wf-aaaaaaaa", agent, status)
        about = {"agent_id": agent, "turn_id": turn}
        told("wf-aaaaaaaa", "health.stuck", {"agent": name, **stuck}, **about)

    with crew.reading() as connection:
        shown = inbox.inbox(connection)
        everything = inbox.inbox(connection, everything=True)

    told_of = {(item["workflow_id"], item["text"].partition(" ")[0]) for item in shown}
    assert told_of == {("wf-stuck", "no"), ("wf-failed", "x"), ("wf-aaaaaaaa", "worker-1")}
    assert not any(item["over"] for item in shown)
    gone = [item["workflow_id"] for item in everything if item["over"]]
    assert sorted(gone) == sorted([*over, "wf-aaaaaaaa", "wf-aaaaaaaa"])


def test_who_waits_is_listed_in_the_order_that_the_engine_serves(crew: Crew) -> None:
    line = {"old-low": (0, 65), "new-high": (2, 61), "normal": (1, 62), "oldest": (0, 99)}
    for name, (priority, minutes) in line.items():
        asked = crew.at(minutes=minutes)
        crew.workflow(name, priority=priority, worker_requested_at=asked)
        for role in ("worker-1", "coordinator"):
            agent = crew.agent(name, role, "ready")
            crew.turn(name, agent, "queued", created_at=asked)
    served = ["oldest", "new-high", "normal", "old-low"]

    database = Database(crew.path)
    with database.reader() as reader, crew.reading() as connection:
        lines = {row["resource"]: row["queue"] for row in resources.resources(connection)}
        assert [workflow.id for workflow in worker_line(reader)] == served
    database.dispose()

    assert [waiter["workflow_id"] for waiter in lines["workers"]] == served
    calls = [(waiter["workflow_id"], waiter["agent"]) for waiter in lines["ai_calls"]]
    assert calls == [(name, agent) for name in served for agent in ("coordinator", "worker-1")]


def _notify(home: Home, told: Path, *events: str) -> None:
    folder = Path(home.environ["XDG_CONFIG_HOME"]) / "perles"
    folder.mkdir(parents=True, exist_ok=True)
    command = f"[sh, -c, 'cat >> {told}; echo >> {told}']"
    globs = ", ".join(f'"{glob}"' for glob in events)
    text = f"notify: {{command: {command}, events: [{globs}]}}\n"
    (folder / "config.yaml").write_text(text)


def test_notify_that_comes_later_tells_nothing_old(home: Home, tmp_path: Path) -> None:
    told = tmp_path / "told"
    fails = home.pipeline("fails", [{"key": "a", "run": "exit 1"}])
    home.perles("run", fails)

    _notify(home, told, "workflow.failed")
    home.perles("run", fails)
    _notify(home, told, "workflow.failed", "task.failed")
    home.perles("run", fails)

    failed = [event["seq"] for event in home.events("--type", "workflow.failed")]
    task = [event["seq"] for event in home.events("--type", "task.failed")]
    seqs = [int(found) for found in re.findall(r'"seq": ?(\d+)', told.read_text())]
    assert seqs == [failed[1], task[2], failed[2]]


@pytest.mark.parametrize("role", ["coordinator", "worker", "observer"])
def test_agents_are_told_of_no_tool_that_they_do_not_have(role: str) -> None:
    texts = [
        *(
            prompts.system_prompt(role, agent=role, work_dir="/w", agent_type=kind)
            for kind in AGENT_TYPES
        ),
        *(tool.description for tool in TOOLS_BY_ROLE[role].values()),
        nudges.WAY_ON,
    ]
    if role == "coordinator":
        texts += [ladder.NUDGE, worker_ladder.NUDGE]

    tools = {name for names in TOOLS_BY_ROLE.values() for name in names}
    verbs = {name.partition("_")[0] for name in tools}
    named = {
        word
        for text in texts
        for word in re.findall(r"\b[a-z]+(?:_[a-z]+)+\b", text)
        if word.partition("_")[0] in verbs
    }
    assert named
    assert named <= set(TOOLS_BY_ROLE[role])
    for verb in re.findall(
        r"(\w+) a worker", " ".join(texts[-2:]) if role == "coordinator" else ""
    ):
        assert f"{verb}_worker" in tools or verb == "add"
