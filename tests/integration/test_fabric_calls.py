"""Fabric tools through the queue of commands: once for a key, refused in words, and kept."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from perles.domain.errors import PerlesError
from perles.engine.commands.queue import Commands
from perles.mcp.host import Caller
from perles.mcp.tools.by_role import TOOLS_BY_ROLE
from perles.store import statements
from perles.store.schema.agents import Agent
from tests import ports
from tests.integration.scheduler_world import World, without_processes

WRITES: dict[str, dict[str, Any]] = {
    "fabric_send": {"channel": "general", "content": "hello"},
    "fabric_reply": {"message_id": 1, "content": "yes"},
    "fabric_ack": {"message_ids": [1]},
    "fabric_subscribe": {"channel": "general"},
    "fabric_unsubscribe": {"channel": "system"},
    "fabric_attach": {"target_id": 1, "path": "a.txt"},
}
EVENTS = {
    "fabric_send": "fabric.posted",
    "fabric_reply": "fabric.posted",
    "fabric_ack": "fabric.acked",
    "fabric_subscribe": "fabric.subscribed",
    "fabric_unsubscribe": "fabric.subscribed",
    "fabric_attach": "fabric.attached",
}


class Desk:
    """A coordinator in a turn, and the queue that carries out its calls."""

    def __init__(self, root: Path) -> None:
        self.world = World(root, ports.SCHEDULER)
        self.commands = Commands(self.world.context)
        (root / "a.txt").write_text("a")

    async def start(self) -> None:
        """The coordinator's first turn has begun, and it has posted once."""
        self.id = self.world.request(1)
        await self.world.step()
        await self.world.step()
        found = self.world.reader.first(Agent, statements.COORDINATOR_OF, workflow_id=self.id)
        assert found is not None
        self.caller = Caller(self.id, found.id, found.name, found.role)
        await self.call("fabric_send", channel="tasks", content="first")

    async def call(self, tool: str, key: str | None = None, /, **given: Any) -> Any:
        """The answer to a call. Raises `PerlesError`."""
        checked = TOOLS_BY_ROLE["coordinator"][tool].check(given)
        args = {field: getattr(checked, field) for field in checked.__struct_fields__}
        return await self.commands.call(self.caller, tool, args, key)

    def count(self, what: str) -> int:
        """How many rows there are."""
        return int(self.world.reader.execute(f"SELECT count(*) FROM {what}")[0][0])


@pytest.fixture
def desk(tmp_path: Path, migrated: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Desk]:
    without_processes(monkeypatch)
    (tmp_path / "perles.db").write_bytes(migrated.read_bytes())
    made = Desk(tmp_path)
    yield made
    made.world.close()


def test_every_tool_that_writes_is_tried_here() -> None:
    written = {
        name
        for role in TOOLS_BY_ROLE.values()
        for name, tool in role.items()
        if name.startswith("fabric_") and tool.read is None
    }

    assert written == WRITES.keys()


@pytest.mark.parametrize("tool", WRITES)
async def test_a_call_with_a_key_is_carried_out_once(desk: Desk, tool: str) -> None:
    await desk.start()
    before = desk.count(f"events WHERE type = '{EVENTS[tool]}'")

    first = await desk.call(tool, "k", **WRITES[tool])
    again = await desk.call(tool, "k", **WRITES[tool])

    assert again == first
    assert desk.count(f"events WHERE type = '{EVENTS[tool]}'") == before + 1


@pytest.mark.parametrize("tool", WRITES)
async def test_nothing_is_written_after_the_workflow_has_ended(desk: Desk, tool: str) -> None:
    await desk.start()
    await desk.world.end(desk.id, "stop")
    before = desk.count("events WHERE type LIKE 'fabric.%'")

    with pytest.raises(PerlesError, match="the workflow is stopped"):
        await desk.call(tool, **WRITES[tool])

    assert desk.count("events WHERE type LIKE 'fabric.%'") == before
    assert desk.count("commands WHERE status = 'rejected'") == 1


async def test_a_file_that_cannot_be_attached_is_a_call_that_was_refused(desk: Desk) -> None:
    await desk.start()

    with pytest.raises(PerlesError, match="it is not in"):
        await desk.call("fabric_attach", "k", target_id=1, path="/etc/passwd")
    with pytest.raises(PerlesError, match="it is not in"):
        await desk.call("fabric_attach", "k", target_id=1, path="/etc/passwd")

    assert desk.count("commands WHERE status = 'rejected'") == 1


async def test_a_secret_that_an_agent_posts_is_masked(desk: Desk) -> None:
    await desk.start()
    desk.world.database.secrets.tell(desk.id, {"hunter2-hunter2"})

    await desk.call("fabric_send", channel="general", content="the key is hunter2-hunter2")

    assert desk.count("posts WHERE body LIKE '%hunter2%'") == 0
    assert desk.count("events WHERE payload LIKE '%hunter2%'") == 0
    assert desk.count("posts WHERE body = 'the key is ***'") == 1
