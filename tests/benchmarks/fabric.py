"""Channels: reading among very many posts, and from a post to the turn of the agent it concerns."""

import json
import statistics
import sys
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import closing
from datetime import datetime

from perles.controlplane.plane import ControlPlane
from perles.engine.team.nudges import CALM
from perles.fabric import channels
from perles.mcp.host import Caller
from perles.mcp.tools.fabric import FabricHistory
from perles.mcp.tools.fabric_reads import read_history, read_inbox
from perles.mcp.tools.tool import NoArguments
from perles.store.database import Database
from perles.store.schema.agents import Agent
from perles.store.schema.fabric import InboxItem, Post, PostMention
from perles.store.sqlite.driver import dbapi
from perles.store.transaction import Tx
from tests.benchmarks.bench import Bench, Row, bench, fill, percentile
from tests.benchmarks.running import engine_of
from tests.integration.scripted_cli import TOOLS

POSTS = 100_000
READS = 50
WORKERS = 4
ROUNDS = 10
ID = "wf-00000000"
TALKERS = 50
SECONDS = 15
TALKER = f"""#!{sys.executable}
{TOOLS}
import time
tools = client(sys.argv[1])
me = os.environ["PERLES_AGENT"]
other = f"worker-{{int(me.split('-')[1]) % {TALKERS} + 1}}"
open(f"here-{{me}}", "w").close()
while not os.path.exists("go"):
    time.sleep(0.1)
time.sleep(int(me.split('-')[1]) / {TALKERS})
took = []
for number in range({SECONDS}):
    began = time.perf_counter()
    tools.call("fabric_send", channel="general", content=f"@{{other}} post {{number}}")
    took.append(1000 * (time.perf_counter() - began))
    time.sleep(max(0, 1 - took[-1] / 1000))
with open(f"took-{{me}}", "w") as file:
    json.dump(took, file)
"""
"""Posts once a second; what each call took is kept in a file."""
CLI = "#!/bin/sh\ncat > /dev/null\necho fine\n"


def rows() -> Iterator[Row]:
    """The measurements."""
    with bench() as home:
        database = home.database()
        agent_id = _filled(database)
        with database.reader() as reader:
            caller = Caller(ID, agent_id, "coordinator", "coordinator")
            asked = FabricHistory(channel="general")
            history = _middle_ms(lambda: read_history(reader, caller, asked))
            inbox = _middle_ms(lambda: read_inbox(reader, caller, NoArguments()))
        database.dispose()
    yield Row("fabric_history, 100,000 posts, p50", history, "ms", "<= 5")
    yield Row("fabric_inbox, 100,000 unread posts, p50", inbox, "ms", "<= 5")
    with bench() as home:
        waited = _nudges(home)
    yield Row("post to turn of an idle agent, p50", percentile(waited, 0.5), "ms", "<= 15")
    yield Row("post to turn of an idle agent, p99", percentile(waited, 0.99), "ms", "<= 60")

    with bench() as home:
        share, calls = _talking(home)
    yield Row("engine's CPU, 50 agents, a post a second each", share, "% of a core", "<= 12")
    yield Row("MCP tool call, 50 agents at once, p50", percentile(calls, 0.5), "ms", "<= 10")
    yield Row("MCP tool call, 50 agents at once, p99", percentile(calls, 0.99), "ms", "<= 60")


def _talking(home: Bench) -> tuple[float, list[float]]:
    """What the engine uses of a core while agents post, and what their calls took in ms."""
    config = _provider(home, TALKER, argv=["{mcp_config}"], mcp="json-file")
    tasks = [{"key": f"t{n}", "prompt": "Talk.", "worker": "mycli"} for n in range(TALKERS)]
    file = home.root / "talk.yaml"
    file.write_text(json.dumps({"name": "talk", "workers": TALKERS, "tasks": tasks}))
    calls = {"PERLES_CONTROL_PLANE__RESOURCE_POLICY__MAX_AI_CALLS": str(TALKERS)}
    with engine_of(home, **calls) as engine:
        home.run("start", home.run("--config", config, "create", str(file)).split()[0])
        _until(lambda: len(list(home.root.glob("here-*"))) == TALKERS)
        (home.root / "go").touch()
        began, used = time.monotonic(), sum(engine.cpu_times()[:2])
        _until(lambda: len(list(home.root.glob("took-*"))) == TALKERS)
        share = 100 * (sum(engine.cpu_times()[:2]) - used) / (time.monotonic() - began)
    took = [one for path in home.root.glob("took-*") for one in json.loads(path.read_text())]
    return share, took


def _provider(home: Bench, source: str, *, argv: Sequence[str] = (), **more: str) -> str:
    """A configuration whose provider `mycli` is this program; its path."""
    program = home.root / "mycli"
    program.write_text(source)
    program.chmod(0o700)
    mycli = {"type": "command", "argv": [str(program), *argv], **more}
    config = home.root / "agents.yaml"
    config.write_text(json.dumps({"orchestration": {"providers": {"mycli": mycli}}}))
    return str(config)


def _filled(database: Database) -> int:
    """A workflow with very many posts, all unread by its coordinator; the coordinator's id."""
    fill(database, 1, 1)

    def insert(tx: Tx) -> int:
        channels.ensure(tx, ID)
        general = channels.channel_named(tx, ID, "general").id
        agent_id = int(tx.execute("SELECT id FROM agents")[0]["id"])
        assert tx.need(Agent, agent_id).role == "coordinator"
        for number in range(POSTS):
            parent = None if number % 2 == 0 else 1
            text = f"post {number}: " + "x" * 200
            values = {"channel_id": general, "parent_id": parent, "author": "worker-1"}
            post_id = tx.insert(Post, body=text, **values)
            tx.insert(InboxItem, agent_id=agent_id, post_id=post_id)
            tx.insert(PostMention, agent_id=agent_id, post_id=post_id)
        return agent_id

    return database.write(insert)


def _middle_ms(read: Callable[[], object]) -> float:
    times = []
    for _ in range(READS):
        began = time.perf_counter()
        read()
        times.append(1000 * (time.perf_counter() - began))
    return statistics.median(times)


def _nudges(home: Bench) -> list[float]:
    """From posts that name one idle agent each to its process, without the wait for more posts."""
    config = _provider(home, CLI)
    tasks = [
        {"key": "wait", "assignee": "human", "question": "end?"},
        *({"key": f"t{n}", "prompt": "Hm?", "worker": "mycli"} for n in range(WORKERS)),
    ]
    file = home.root / "idle.yaml"
    file.write_text(json.dumps({"name": "idle", "workers": WORKERS, "tasks": tasks}))
    with engine_of(home):
        id = home.run("--config", config, "create", str(file)).split()[0]
        home.run("start", id)
        _until(lambda: _count(home, "tasks WHERE status = 'done'") == WORKERS)
        _until(lambda: not _count(home, "agents WHERE status = 'working'"))
        plane = ControlPlane(home.root)
        for _ in range(ROUNDS):
            for number in range(WORKERS):
                plane.post(id, f"@worker-{number + 1} look")
                time.sleep(0.05)
            _until(lambda: not _count(home, "inbox_items WHERE told_at IS NULL"))
            _until(lambda: not _count(home, "messages WHERE status != 'done'"))
    return _waited(home)


def _waited(home: Bench) -> list[float]:
    query = (
        "SELECT p.created_at, t.started_at FROM posts p JOIN inbox_items i ON i.post_id = p.id "
        "JOIN messages m ON m.agent_id = i.agent_id AND m.created_at = i.told_at "
        "JOIN turns t ON t.id = m.turn_id ORDER BY p.id"
    )
    with closing(dbapi.connect(home.root / "perles.db")) as connection:
        found = [tuple(map(_seconds, row)) for row in connection.execute(query)]
    assert len(found) == ROUNDS * WORKERS
    return [1000 * (started - posted - CALM) for posted, started in found]


def _seconds(text: str) -> float:
    return datetime.fromisoformat(text).timestamp()


def _count(home: Bench, what: str) -> int:
    with closing(dbapi.connect(home.root / "perles.db")) as connection:
        query = f"SELECT count(*) FROM {what}"
        return int(connection.execute(query).fetchone()[0])


def _until(condition: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not condition():
        assert time.monotonic() < deadline, "it never came"
        time.sleep(0.02)
