"""The rows of nodes: a machine joins, is heard or not, is drained by a person, and leaves."""

from __future__ import annotations

from dataclasses import asdict
from typing import Any, Final

from perles.domain.errors import NotFoundError, WrongStateError
from perles.domain.nearest import alike
from perles.domain.records import dataclass
from perles.domain.states import LIVE_TURNS, NODE, NodeState, NodeTrigger
from perles.store.events import journal
from perles.store.expressions import bindparam, func, select
from perles.store.reader import Reader
from perles.store.schema.agents import Agent, Turn
from perles.store.schema.nodes import Node
from perles.store.sql import Sql
from perles.store.transaction import Tx
from perles.store.transition import fire

LEFT: Final = "it was ended on its machine"
"""Why a node has gone that somebody ended."""
DRAINED: Final = 2
"""`Node.drain` of one that has no turn any more."""
NODES: Final = Sql(select(Node).order_by(Node.id))
TURNS_ON: Final = Sql(
    select(func.count())
    .select_from(Turn)
    .join(Agent, Agent.id == Turn.agent_id)
    .where(Turn.status.in_(LIVE_TURNS), Agent.node == bindparam("node"))
)
"""How many turns live on a node."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Heard:
    """What a node told of itself. Memory and disk are bytes, `skew` is seconds ahead of us."""

    slots: int
    labels: tuple[str, ...] = ()
    host: str = ""
    perles: str = ""
    python: str = ""
    boot_id: str = ""
    cpus: int = 0
    memory: int = 0
    memory_free: int = 0
    disk_free: int = 0
    skew: float = 0.0
    problems: tuple[str, ...] = ()

    def columns(self) -> dict[str, Any]:
        """As the row keeps it."""
        facts = asdict(self)
        columns = {"slots": facts.pop("slots"), "labels": sorted(facts.pop("labels"))}
        problems = facts.pop("problems")
        return {
            "slots": columns["slots"],
            "labels": journal.encode(columns["labels"]),
            "problems": journal.encode(problems),
            "facts": journal.encode(facts),
        }


def heard(tx: Tx, name: str, told: Heard) -> None:
    """A node answered: it joins, is back, or is there as before."""
    row, columns = tx.get(Node, name), told.columns() | {"last_heard_at": tx.now}
    if row is None:
        state = {"state": NodeState.READY, "joined_at": tx.now}
        tx.insert(Node, id=name, **state, **columns)
        journal.append(tx, "node.joined", {"node": name, **_told(told)})
        return
    trigger = _trigger(row)
    if trigger is None:
        tx.update(Node, name, version=row.version + 1, **columns)
        return
    if row.state == NodeState.GONE:
        columns["joined_at"] = tx.now
    fire(tx, NODE, name, trigger, changes=columns, payload={"node": name, **_told(told)})


def _trigger(row: Node) -> NodeTrigger | None:
    if row.state == NodeState.UNREACHABLE:
        return "hear_draining" if row.drain else "hear"
    if row.state == NodeState.GONE:
        return "join_draining" if row.drain else "join"
    return None


def _told(told: Heard) -> dict[str, Any]:
    return {"slots": told.slots, "labels": sorted(told.labels), "version": told.perles}


def lost(tx: Tx, name: str, why: str) -> None:
    """A node does not answer; its agents may go on until its lease ends.

    One that has never answered is kept, too, for people to see what is wrong with it.
    """
    row, problems = tx.get(Node, name), journal.encode([why])
    payload = {"node": name, "reason": why}
    if row is None:
        columns = {"slots": 0, "problems": problems, "joined_at": tx.now, "last_heard_at": tx.now}
        tx.insert(Node, id=name, state=NodeState.UNREACHABLE, **columns)
        journal.append(tx, "node.lost", payload)
    elif row.state in (NodeState.READY, NodeState.DRAINING):
        fire(tx, NODE, name, "lose", changes={"problems": problems}, payload=payload)
    elif row.state == NodeState.UNREACHABLE and row.problems != problems:
        tx.update(Node, name, version=row.version + 1, problems=problems)


def gone(tx: Tx, name: str, why: str) -> None:
    """A node has been silent for so long that none of its agents lives any more, or it ended."""
    row = tx.get(Node, name)
    if row is not None and row.state != NodeState.GONE:
        reason = f"{why}, after it was drained" if row.drain == DRAINED else why
        changes = {"problems": journal.encode([reason])}
        fire(tx, NODE, name, "leave", changes=changes, payload={"node": name, "reason": reason})


def was_ended(row: Node) -> bool:
    """Whether it has gone because somebody ended it."""
    reasons = journal.decode(row.problems)
    return row.state == NodeState.GONE and any(why.startswith(LEFT) for why in reasons)


def never_was(row: Node) -> bool:
    """Whether it went without a word: nobody knows it as a node."""
    return row.state == NodeState.GONE and row.facts == "{}"


def drain(tx: Tx, name: str) -> str:
    """A person wants a node to get no more turns; its state. Its running turns go on."""
    row = _known(tx, name)
    if row.state == NodeState.GONE:
        raise WrongStateError("node", name, row.state, "drain")
    if row.state == NodeState.READY:
        fire(tx, NODE, name, "drain", changes={"drain": 1}, payload={"node": name})
        tell_drained(tx, name)
    elif not row.drain:
        tx.update(Node, name, version=row.version + 1, drain=1)
    return tx.need(Node, name).state


def resume(tx: Tx, name: str) -> str:
    """A person lets a node get turns again; its state. Raises `NotFoundError`."""
    row = _known(tx, name)
    if row.state == NodeState.DRAINING:
        fire(tx, NODE, name, "resume", changes={"drain": 0}, payload={"node": name})
    elif row.drain:
        tx.update(Node, name, version=row.version + 1, drain=0)
    return tx.need(Node, name).state


def tell_drained(tx: Tx, name: str) -> None:
    """Tell, once, that a node that drains has no turn any more."""
    if tx.need(Node, name).drain == 1 and not tx.value(TURNS_ON, node=name):
        tx.update(Node, name, drain=DRAINED)
        journal.append(tx, "node.drained", {"node": name})


def _known(reader: Reader, name: str) -> Node:
    row = reader.get(Node, name)
    if row is None:
        names = [node.id for node in reader.all(Node, NODES)]
        hint = "perles nodes shows which there are"
        raise NotFoundError("node", name, hint, near=alike(name, names, 1))
    return row
