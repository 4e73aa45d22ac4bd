"""The agents that a post concerns: named ones, followers of its channel, authors in its thread."""

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final, NamedTuple

from perles.domain.provider_choice import BUILTIN
from perles.fabric import channels, mentions
from perles.fabric.mentions import Mentions
from perles.store.expressions import bindparam, select
from perles.store.schema.agents import Agent
from perles.store.schema.fabric import Channel, ThreadMember
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx

OBSERVER: Final = "observer"
"""The channel, and the role, of the one agent that its posts concern."""
USER: Final = "user"
"""Who posts as a person."""
PEOPLE: Final = Sql(
    select(
        Agent.id, Agent.name, Agent.role, Agent.provider, Agent.retired_at, Agent.successor_id
    ).where(Agent.workflow_id == WORKFLOW_ID)
)
MEMBERS: Final = Sql(
    select(ThreadMember.agent_id).where(ThreadMember.post_id == bindparam("post_id_"))
)
IS_MEMBER: Final = Sql(
    select(ThreadMember.agent_id).where(
        ThreadMember.post_id == bindparam("post_id_"),
        ThreadMember.agent_id == bindparam("agent_id_"),
    )
)


class Reader(NamedTuple):
    """An agent that can read posts."""

    id: int
    name: str
    role: str


class Found(NamedTuple):
    """`named` are the ids of agents that the post names, `readers` of agents that it concerns."""

    named: list[int]
    mentions: list[str]
    readers: list[Reader]
    notes: list[str]
    """What its author should know: a name that nobody has, or whose agent is gone."""


class Crowd:
    """The agents of a workflow, by name and by id."""

    def __init__(self, tx: Tx, workflow_id: str) -> None:
        rows = tx.rows(PEOPLE, workflow_id=workflow_id)
        self._rows = {int(row["id"]): row for row in rows}
        self._by_name = {str(row["name"]).lower(): int(row["id"]) for row in rows}

    def mentions_in(self, text: str) -> Mentions:
        """The names in a text."""
        return mentions.find(text, self._by_name)

    def named(self, found: Mentions) -> list[int]:
        """The ids of agents that the text names."""
        return [self._by_name[name] for name in found.known]

    def everybody(self) -> list[int]:
        """The agents that `@here` means."""
        return [id for id, row in self._rows.items() if row["role"] != OBSERVER]

    def living(self, agent_id: int) -> Reader | None:
        """The agent, or the one that went on in its place; None where nobody did, or can read."""
        row = self._rows.get(agent_id)
        for _ in self._rows:  # a chain of successors is no longer than that
            if row is None or row["retired_at"] is None:
                break
            row = self._rows.get(row["successor_id"]) or self._coordinator_after(row)
        if row is None or row["retired_at"] is not None or row["provider"] == BUILTIN:
            return None
        return Reader(int(row["id"]), str(row["name"]), str(row["role"]))

    def _coordinator_after(self, row: Any) -> Any:
        """The coordinator of now: who came after an earlier one was not always kept."""
        if row["role"] != "coordinator":
            return None
        return next(
            (
                one
                for one in self._rows.values()
                if one["role"] == "coordinator" and one["retired_at"] is None
            ),
            None,
        )

    def name(self, agent_id: int) -> str:
        """The name of an agent."""
        return str(self._rows[agent_id]["name"])


def of(tx: Tx, channel: Channel, text: str, *, author_id: int | None, thread: int | None) -> Found:
    """The agents that a post in a channel concerns; `thread` is the first post of its thread."""
    crowd = Crowd(tx, channel.workflow_id)
    found = crowd.mentions_in(text)
    named = crowd.named(found)
    modes = {
        int(row["agent_id"]): str(row["mode"])
        for row in tx.rows(channels.SUBSCRIBERS, channel_id_=channel.id)
    }
    wanted = [*named]
    wanted += _unless(crowd.everybody() if found.here else (), modes, {"none"})
    wanted += [id for id, mode in modes.items() if mode == "all"]
    if thread is not None:
        members = (int(row[0]) for row in tx.rows(MEMBERS, post_id_=thread))
        wanted += _unless(members, modes, {"none", "mentions"})
    readers: dict[int, Reader] = {}
    for agent_id in wanted:
        reader = crowd.living(agent_id)
        if reader is not None and reader.id != author_id and _may_hear(channel, reader):
            readers[reader.id] = reader
    names = [crowd.name(id) for id in named] + ([mentions.HERE] if found.here else [])
    return Found(named, names, list(readers.values()), _notes(crowd, found, channel, author_id))


def join(tx: Tx, thread: int, agent_ids: Iterable[int]) -> None:
    """These agents take part in a thread from now on."""
    for agent_id in dict.fromkeys(agent_ids):
        if tx.row(IS_MEMBER, post_id_=thread, agent_id_=agent_id) is None:
            tx.insert(ThreadMember, post_id=thread, agent_id=agent_id)


def _may_hear(channel: Channel, reader: Reader) -> bool:
    return channel.slug != OBSERVER or reader.role == OBSERVER


def _unless(
    agent_ids: Iterable[int], modes: Mapping[int, str], muted: Collection[str]
) -> list[int]:
    return [id for id in agent_ids if modes.get(id) not in muted]


def _unknown(name: str) -> str:
    if name == USER:
        return "the user reads the channels now and then: ask_user asks at once"
    return f"nobody is called {name}"


def _notes(crowd: Crowd, found: Mentions, channel: Channel, author_id: int | None) -> list[str]:
    notes = [_unknown(name) for name in found.unknown]
    for agent_id in crowd.named(found):
        name, reader = crowd.name(agent_id), crowd.living(agent_id)
        if agent_id == author_id:
            notes.append("you named yourself: nobody is told of that")
        elif reader is None:
            notes.append(f"{name} reads no posts: it is retired, or runs commands only")
        elif not _may_hear(channel, reader):
            notes.append(f"{name} is not told: #{OBSERVER} concerns the observer only")
        elif reader.id != agent_id:
            notes.append(f"{name} is retired: {reader.name} is told in its place")
    return notes
