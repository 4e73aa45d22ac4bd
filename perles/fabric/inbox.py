"""What waits for an agent in the channels: acknowledged, told of, handed on to a successor."""

from collections.abc import Sequence
from typing import Final

from perles.fabric import channels, posts
from perles.store.events import journal
from perles.store.expressions import bindparam, delete, select, update
from perles.store.schema.agents import Agent
from perles.store.schema.fabric import Ack, Channel, InboxItem, Post
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx

_AGENT: Final = InboxItem.agent_id == bindparam("agent_id_")
_POST: Final = InboxItem.post_id == bindparam("post_id_")
UNTOLD: Final = Sql(
    select(InboxItem.post_id, Channel.slug, Post.author, Post.body)
    .join(Post, Post.id == InboxItem.post_id)
    .join(Channel, Channel.id == Post.channel_id)
    .where(_AGENT, InboxItem.told_at.is_(None))
    .order_by(InboxItem.post_id)
)
SET_ALL_TOLD: Final = Sql(
    update(InboxItem)
    .where(_AGENT, InboxItem.told_at.is_(None))
    .values(told_at=bindparam("now_"), updated_at=bindparam("now_"))
)
SET_TOLD: Final = Sql(
    update(InboxItem)
    .where(_AGENT, _POST, InboxItem.told_at.is_(None))
    .values(told_at=bindparam("now_"), updated_at=bindparam("now_"))
)
SETTLE: Final = Sql(
    update(InboxItem)
    .where(
        InboxItem.agent_id.in_(select(Agent.id).where(Agent.workflow_id == WORKFLOW_ID)),
        InboxItem.told_at.is_(None),
    )
    .values(told_at=bindparam("now_"), updated_at=bindparam("now_"))
)
LEAVE: Final = Sql(delete(InboxItem).where(_AGENT, _POST))
ITEMS_OF: Final = Sql(select(InboxItem.post_id, InboxItem.told_at).where(_AGENT))
LEAVE_ALL: Final = Sql(delete(InboxItem).where(_AGENT))
IS_ACKED: Final = Sql(
    select(Ack.post_id).where(
        Ack.post_id == bindparam("post_id_"), Ack.agent_id == bindparam("agent_id_")
    )
)
IS_ITEM: Final = Sql(select(InboxItem.post_id).where(_AGENT, _POST))


def ack(tx: Tx, agent: Agent, post_ids: Sequence[int]) -> list[int]:
    """Take posts out of an agent's inbox; the posts that it had not acknowledged before.

    All of them, or none: raises `NotFoundError` for one that this workflow has not.
    """
    done = []
    for post_id in dict.fromkeys(post_ids):
        posts.post_of(tx, agent.workflow_id, post_id)
        tx.run(LEAVE, agent_id_=agent.id, post_id_=post_id)
        if tx.row(IS_ACKED, post_id_=post_id, agent_id_=agent.id) is None:
            tx.insert(Ack, post_id=post_id, agent_id=agent.id)
            done.append(post_id)
    if done:
        payload = {"agent": agent.name, "posts": done}
        journal.append(
            tx, "fabric.acked", payload, workflow_id=agent.workflow_id, agent_id=agent.id
        )
    return done


def seen(tx: Tx, agent_id: int, post_ids: Sequence[int]) -> int:
    """The agent was shown these posts: it is not told of them again; how many it was not yet."""
    return sum(
        tx.run(SET_TOLD, agent_id_=agent_id, post_id_=post_id, now_=tx.now) for post_id in post_ids
    )


def settle(tx: Tx, workflow_id: str) -> None:
    """The workflow has ended: nobody is to be told of anything any more."""
    tx.run(SETTLE, workflow_id=workflow_id, now_=tx.now)


def hand_over(tx: Tx, old: Agent, fresh: Agent) -> None:
    """What waits for an agent waits for its successor, who was told of none of it."""
    channels.hand_over(tx, old, fresh)
    for row in tx.rows(ITEMS_OF, agent_id_=old.id):
        if tx.row(IS_ITEM, agent_id_=fresh.id, post_id_=row["post_id"]) is None:
            tx.insert(InboxItem, agent_id=fresh.id, post_id=row["post_id"])
    tx.run(LEAVE_ALL, agent_id_=old.id)
    tx.update(Agent, old.id, successor_id=fresh.id)
