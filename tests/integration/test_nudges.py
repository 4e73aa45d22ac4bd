"""Nudges: an idle agent is told once of what concerns it, and of nothing that it has read."""

import random
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perles.domain.states import AGENT
from perles.engine.resources import leases
from perles.engine.team.nudges import Nudges
from perles.engine.team.spawn import add_agent
from perles.engine.team.succession import put_fresh
from perles.fabric import channels, inbox, posts
from perles.store.schema.agents import Agent
from perles.store.schema.tasks import Task
from perles.store.schema.workflows import Workflow
from perles.store.transaction import Tx
from perles.store.transition import fire
from tests import ports
from tests.integration.scheduler_world import World, without_processes


class Team:
    """A workflow with a coordinator and workers, all idle; turns have no processes."""

    def __init__(self, root: Path) -> None:
        self.world = World(root, ports.SCHEDULER)
        self.nudges = Nudges(self.world.context)
        self.id = ""

    async def start(self, workers: int = 2) -> None:
        """The workflow runs; a task waits for the person, so that nobody is reminded of it."""
        self.world.limit(max_workers=20, max_ai_calls=20)
        self.id = self.id or self.world.request(1)
        self.world.write(
            lambda tx: tx.insert(
                Task, workflow_id=self.id, key="t", title="T", status="waiting_for_user"
            )
        )
        await self.world.step()
        await self.world.step()
        for number in range(workers):
            self._worker(number + 1)
        await self.finish()

    def _worker(self, number: int) -> None:
        def add(tx: Tx) -> None:
            workflow = tx.need(Workflow, self.id)
            session = self.world.context.paths.found(workflow.session_dir or "")
            made = add_agent(tx, workflow, f"worker-{number}", "worker", session)
            leases.acquire(tx, "worker", 20, self.id, made.id)

        self.world.write(add)

    def agent(self, name: str) -> Agent:
        """An agent as it is now."""
        query = "SELECT id FROM agents WHERE name = ?"
        return self.world.reader.need(Agent, self.world.reader.execute(query, (name,))[0]["id"])

    def post(self, by: str, text: str, slug: str = "general") -> int:
        """An agent posts; the id."""
        author = posts.USER if by == "user" else posts.Author.of(self.agent(by))
        return self.world.write(lambda tx: posts.post(tx, self.id, slug, author, text)).id

    def write(self, work: Any) -> Any:
        """One transaction."""
        return self.world.write(work)

    def follow(self, name: str, slug: str) -> None:
        """An agent is told of all in a channel."""
        agent = self.agent(name)
        self.write(lambda tx: channels.subscribe(tx, agent, slug, "all"))

    async def after(self, seconds: float) -> list[str]:
        """Time passes, and the engine looks: what agents are told by turns that begin now."""
        self.world.clock.advance(seconds)
        await self.nudges.look()
        return await self.turns()

    async def turns(self) -> list[str]:
        """The prompts of turns that begin now, by the agents' order."""
        before = set(self.world.turns.lives)
        await self.world.context.turns.deliver()
        return [self.prompt(id) for id in self.world.turns.lives if id not in before]

    def prompt(self, turn_id: int) -> str:
        """What the messages of a turn say."""
        query = "SELECT body FROM messages WHERE turn_id = ? ORDER BY id"
        return "\n".join(row["body"] for row in self.world.reader.execute(query, (turn_id,)))

    async def finish(self) -> None:
        """All turns end well."""
        for live in list(self.world.turns.lives.values()):
            await self.world.finish(live, "succeed")


@pytest.fixture
def team(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Team]:
    without_processes(monkeypatch)
    (tmp_path / "perles.db").write_bytes(migrated.read_bytes())
    made = Team(tmp_path)
    yield made
    made.world.close()


async def test_an_idle_agent_is_told_a_second_after_the_last_post(team: Team) -> None:
    await team.start()
    team.post("worker-1", "one @worker-2")
    assert await team.after(0) == []
    assert await team.after(0.9) == []
    team.post("coordinator", "two @worker-2", "planning")
    assert await team.after(0.9) == []

    (prompt,) = await team.after(1.0)

    assert "#general, by worker-1: 1" in prompt
    assert "#planning, by coordinator: 2" in prompt
    assert "two @worker-2" in prompt
    await team.finish()
    assert await team.after(10) == []


async def test_an_agent_without_tools_is_told_the_texts_and_of_no_tool(team: Team) -> None:
    await team.start()
    provider = team.world.context.providers["", "scripted"]
    provider.has_mcp = False
    for number in range(9):
        team.post("worker-1", f"@worker-2 {number}")
    await team.after(0)

    (prompt,) = await team.after(1.0)

    assert all(f"> @worker-2 {number}" in prompt for number in range(9))
    assert "fabric_" not in prompt


async def test_a_coordinator_hears_of_all_in_system_whatever_was_posted_before_it_began(
    team: Team,
) -> None:
    team.id = team.world.request(1)
    team.post("user", "an early word")
    await team.start()
    team.post("worker-1", "up", "system")
    await team.after(0)

    (prompt,) = await team.after(1.0)

    assert "worker-1 in #system:\n> up" in prompt


async def test_constant_posting_holds_a_nudge_up_for_five_seconds_at_most(team: Team) -> None:
    await team.start()
    waited, told = 0.0, list[str]()
    while not told:
        team.post("worker-1", "@worker-2")
        told = await team.after(0.5)
        waited += 0.5

    assert 5.0 <= waited <= 6.0


async def test_the_engine_knows_when_to_look_again(team: Team) -> None:
    await team.start()
    assert team.nudges.seconds_left() is None
    team.post("worker-1", "@worker-2")
    await team.nudges.look()

    assert team.nudges.seconds_left() == pytest.approx(1.0)

    await team.after(1.0)
    assert team.nudges.seconds_left() is None


@pytest.mark.parametrize("how", ["seen", "ack"])
async def test_what_an_agent_has_read_it_is_not_told_again(team: Team, how: str) -> None:
    await team.start()
    first = team.post("worker-1", "@worker-2")
    second = team.post("worker-1", "@worker-2")
    agent = team.agent("worker-2")
    if how == "seen":
        team.write(lambda tx: inbox.seen(tx, agent.id, [first]))
    else:
        team.write(lambda tx: inbox.ack(tx, agent, [first]))

    await team.after(0)
    (prompt,) = await team.after(2.0)

    assert f"#general, by worker-1: {second}\n" in prompt


async def test_an_agent_in_a_turn_is_told_with_its_next_one(team: Team) -> None:
    await team.start()
    team.world.tell(team.agent("worker-2"))
    assert len(await team.turns()) == 1
    team.post("worker-1", "@worker-2")
    assert await team.after(0) == await team.after(9) == []
    await team.finish()

    (prompt,) = await team.after(0)

    assert "#general, by worker-1: 1" in prompt


async def test_a_message_that_comes_first_takes_the_nudge_with_it(team: Team) -> None:
    await team.start()
    team.post("worker-1", "@worker-2")
    await team.after(0)
    team.world.tell(team.agent("worker-2"))

    (prompt,) = await team.turns()

    assert "go on" in prompt
    assert "#general, by worker-1: 1" in prompt
    await team.finish()
    assert await team.after(10) == []


async def test_what_was_not_told_when_the_engine_died_is_told_by_the_next_one(team: Team) -> None:
    await team.start()
    team.post("worker-1", "@worker-2")
    await team.after(0)

    team.nudges = Nudges(team.world.context)
    team.world.crash()

    assert await team.after(0) == []
    assert len(await team.after(1.0)) == 1


async def test_a_paused_workflow_is_not_woken_by_posts(team: Team) -> None:
    await team.start()
    await team.world.pause(team.id)
    team.post("user", "@worker-2")
    assert await team.after(0) == await team.after(9) == []

    await team.world.resume(team.id)
    await team.after(0)
    prompts = await team.after(2.0)

    assert sum("#general, by user: 1" in prompt for prompt in prompts) == 1


async def test_a_stopped_agent_is_not_woken_and_its_successor_gets_its_mail(team: Team) -> None:
    await team.start()
    agent = team.agent("worker-2")
    team.write(lambda tx: fire(tx, AGENT, agent.id, "stop"))
    team.post("worker-1", "@worker-2")
    assert await team.after(0) == await team.after(9) == []

    fresh = team.write(lambda tx: put_fresh(tx, team.world.context, agent.id, why="why"))
    (prompt,) = await team.turns()  # its handover comes at once, and all else with it

    assert fresh.name == "worker-3"
    assert "#general, by worker-1: 1" in prompt


async def test_nothing_is_told_after_the_end(team: Team) -> None:
    await team.start()
    team.post("worker-1", "@worker-2")
    await team.world.end(team.id, "stop")

    assert await team.after(0) == await team.after(9) == []
    assert team.world.reader.execute("SELECT 1 FROM inbox_items WHERE told_at IS NULL") == []


async def test_posts_by_ten_agents_reach_each_that_is_named_once_and_in_order(team: Team) -> None:
    await team.start(workers=9)
    dice, clock = random.Random(7), team.world.clock
    names = ["coordinator", *(f"worker-{number + 1}" for number in range(9))]
    due: dict[str, list[tuple[int, float]]] = {name: [] for name in names}
    told: dict[str, list[int]] = {name: [] for name in names}

    async def look() -> None:
        clock.advance(0.02)
        await team.nudges.look()
        await team.world.context.turns.deliver()
        for live in list(team.world.turns.lives.values()):
            prompt = team.prompt(live.turn_id)
            ids = re.findall(r"^#\w+, by [\w, -]+: ([\d, ]+)$", prompt, re.MULTILINE)
            new = sorted(int(id) for text in ids for id in text.split(", "))
            told[live.agent] += new
            waited = {id: clock.elapsed() - at for id, at in due[live.agent]}
            assert max(waited[id] for id in new) < 5.1, (live.agent, new, waited)
            await team.world.finish(live, "succeed")

    for _ in range(1000):
        author, name = dice.sample(names, 2)
        slug = dice.choice(["general", "tasks", "planning"])
        due[name].append((team.post(author, f"look @{name}.", slug), clock.elapsed()))
        await look()
    for _ in range(100):
        await look()

    assert told == {name: [id for id, _ in found] for name, found in due.items()}
