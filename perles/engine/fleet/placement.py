"""Which node gets an agent's next turn: by what it needs, where its data is, and free slots.

An agent stays on its node while that can be reached: its CLI's session is a file there. Who cannot
be placed waits in the order of the queue, and its row says what for.
"""

from __future__ import annotations

import time
from collections.abc import Sequence
from typing import Any, Final

from perles.domain.placement import ANYWHERE, FULL, MARK, Place, Room, Rooms
from perles.domain.states import LIVE_TURNS
from perles.engine.context import Context
from perles.engine.fleet import nodes
from perles.engine.remote_turns import Where
from perles.engine.turns.move_to_node import move
from perles.store.events import journal
from perles.store.expressions import func, literal_column, select
from perles.store.reader import Reader
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.nodes import Node
from perles.store.schema.tasks import IS_SERVICE, Task
from perles.store.schema.workflows import Workflow
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx
from perles.tasks.stored_execution import execution_of

AVOIDED: Final = 60.0
"""Seconds for which a node gets no turn that had no room for one: its own look may see enough."""
STAMP: Final = Sql(select(func.count(), func.max(Node.updated_at), func.sum(Node.version)))
IN_USE: Final = Sql(
    select(Agent.node, Task.execution)
    .select_from(Turn)
    .join(Agent, Agent.id == Turn.agent_id)
    .outerjoin(Task, Task.id == Agent.task_id)
    .where(Turn.status.in_(LIVE_TURNS), Agent.node.is_not(None))
)
NODES_OF: Final = Sql(
    select(Agent.node)
    .where(Agent.workflow_id == WORKFLOW_ID, Agent.node.is_not(None))
    .order_by(Agent.id.desc())
    .limit(1)
)
HAS_SERVICE: Final = Sql(
    select(Task.id).where(Task.workflow_id == WORKFLOW_ID, literal_column(IS_SERVICE)).limit(1)
)


class Placement:
    """Keeps which nodes there are, as the rows say; what is in use is counted anew at each look."""

    def __init__(self, context: Context) -> None:
        self._context = context
        self._stamp: Any = None
        self._rooms = Rooms(())
        self._full_until: dict[str, float] = {}

    def avoid(self, node: str) -> None:
        """A turn found no room on this node: it gets none for a while, whatever its row says."""
        self._full_until[node] = time.monotonic() + AVOIDED

    async def with_room(self, agents: Sequence[Agent]) -> list[Agent]:
        """Those of the agents that can have a turn now; of the others it is noted why not."""
        if not agents:
            return []
        reader = self._context.reader
        self._count(reader)
        found, changed = [], []
        for agent in agents:
            place = place_of(reader, reader.need(Workflow, agent.workflow_id), agent)
            where = self._where(reader, agent, place)
            if not where.waits:
                found.append(agent)
                if where.node is not None:
                    self._rooms.take(where.node, place)
            elif where.waits != agent.unplaced:
                changed.append((agent.id, where))
        if changed:
            await self._context.writer.write(lambda tx: _note(tx, changed))
        self._count(reader)  # none of them has begun yet
        return found

    def choose(self, tx: Tx, workflow: Workflow, agent: Agent) -> Where:
        """The node for a turn that begins in this transaction; `took` has to follow."""
        if self._stamp is None:
            self._count(tx)
        place = place_of(tx, workflow, agent)
        where = self._where(tx, agent, place)
        while where.node is not None and not where.waits:
            used = int(tx.value(nodes.TURNS_ON, node=where.node))
            if used < self._rooms.by_name[where.node].slots:
                break
            self._rooms.use(_in_use(tx))
            where = self._where(tx, agent, place)
        return where

    def took(self, tx: Tx, workflow: Workflow, agent: Agent, node: str | None) -> None:
        """Write where the agent is from now on; a move is told."""
        if node is not None:
            self._rooms.take(node, place_of(tx, workflow, agent))
        if agent.node != node:
            move(tx, agent, node)
        if agent.unplaced is not None:
            tx.update(Agent, agent.id, unplaced=None)

    def _where(self, reader: Reader, agent: Agent, place: Place) -> Where:
        has_session = agent.provider_session_id is not None
        if has_session and agent.node is None:
            return Where(None)  # it began here
        together = self._together(reader, agent)
        pinned = self._rooms.by_name.get((agent.node if has_session else together) or "")
        if pinned is not None and pinned.state not in ("draining", "gone"):
            return _on(pinned, place)
        near = agent.node or together or self._data(reader, agent)
        chosen = self._rooms.choose(place, near)
        if chosen is not None:
            return Where(chosen)
        why = self._rooms.why_none(place)
        return Where(None, why, self._rooms.is_hopeless(place))

    def _together(self, reader: Reader, agent: Agent) -> str | None:
        """The node of a workflow that has services: its tasks reach them on their own machine."""
        if reader.row(HAS_SERVICE, workflow_id=agent.workflow_id) is None:
            return None
        return self._last_of(reader, agent)

    def _data(self, reader: Reader, agent: Agent) -> str | None:
        """Where the workflow's work dir is, where each node has its own."""
        if self._context.config.cluster.workspace != "git":
            return None
        return self._last_of(reader, agent)

    def _last_of(self, reader: Reader, agent: Agent) -> str | None:
        found = reader.value(NODES_OF, workflow_id=agent.workflow_id)
        return None if found is None else str(found)

    def _count(self, reader: Reader) -> None:
        now = time.monotonic()
        full = {name for name, until in self._full_until.items() if until > now}
        stamp = (*reader.row(STAMP), frozenset(full))
        if stamp != self._stamp:
            self._stamp = stamp
            rows = reader.all(Node, nodes.NODES)
            known = (row for row in rows if not nodes.never_was(row))
            self._rooms = Rooms(_room(row, is_avoided=row.id in full) for row in known)
        self._rooms.use(_in_use(reader))


def _in_use(reader: Reader) -> dict[str, tuple[int, int]]:
    """By node, how many turns live there, and the memory that their tasks asked for."""
    used: dict[str, tuple[int, int]] = {}
    for node, execution in reader.rows(IN_USE):
        turns, memory = used.get(node, (0, 0))
        if execution and MARK in execution:
            memory += Place.of(journal.decode(execution)["place"]).memory
        used[node] = (turns + 1, memory)
    return used


def place_of(reader: Reader, workflow: Workflow, agent: Agent) -> Place:
    """What the agent's next turn needs of a node: by its workflow, and by its task."""
    found = ANYWHERE
    if workflow.placement:
        found = Place(labels=tuple(journal.decode(workflow.placement)))
    task = None if agent.task_id is None else reader.get(Task, agent.task_id)
    if task is not None and MARK in task.execution:
        found |= execution_of(task).place
    return found


def _on(room: Room, place: Place) -> Where:
    """The node that it must be, or that it waits for it."""
    if room.state == "unreachable":
        return Where(room.name, f"its node {room.name} is out of reach")
    if room.is_full:
        return Where(room.name, f"its node {room.name} has no room: {FULL}")
    if room.used >= room.slots:
        return Where(room.name, f"all {room.slots} slots of its node {room.name} are used")
    if not room.could_serve(place):
        return Where(room.name, f"its node {room.name} has no {place}", is_hopeless=True)
    if place.memory > room.memory_free:
        return Where(room.name, f"its node {room.name} has not so much memory free now")
    return Where(room.name)


def _room(row: Node, *, is_avoided: bool = False) -> Room:
    facts = journal.decode(row.facts)
    return Room(
        name=row.id,
        slots=row.slots,
        state=row.state,
        labels=frozenset(journal.decode(row.labels)),
        memory=facts.get("memory", 0),
        memory_free=facts.get("memory_free", 0),
        is_full=is_avoided or FULL in journal.decode(row.problems),
    )


def _note(tx: Tx, changed: Sequence[tuple[int, Where]]) -> None:
    """Write why agents wait; a person is told of agents that no waiting helps."""
    for agent_id, where in changed:
        agent = tx.need(Agent, agent_id)
        if agent.unplaced == where.waits:
            continue
        tx.update(Agent, agent_id, unplaced=where.waits)
        if where.is_hopeless:
            told = {"text": f"{agent.name} cannot run: {where.waits}", "phase": None}
            journal.append(
                tx, "user.notification", told, workflow_id=agent.workflow_id, agent_id=agent_id
            )
