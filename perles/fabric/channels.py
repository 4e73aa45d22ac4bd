"""Channels: the places of a workflow where its agents and the person post, and who follows them."""

from typing import Final, NamedTuple

from perles.domain.channels import CHANNELS, POSTABLE
from perles.domain.errors import NotFoundError, UsageError
from perles.store import statements
from perles.store.events import journal
from perles.store.expressions import BindParameter, bindparam, delete, select, update
from perles.store.schema.agents import Agent
from perles.store.schema.fabric import Channel, ChannelRead, Subscription
from perles.store.sql import WORKFLOW_ID, Sql
from perles.store.transaction import Tx

CHANNEL: Final = Sql(
    select(Channel).where(Channel.workflow_id == WORKFLOW_ID, Channel.slug == bindparam("slug"))
)
_AGENT_ID: Final[BindParameter[int]] = bindparam("agent_id_")
_OF_AGENT: Final = Subscription.agent_id == _AGENT_ID
SUBSCRIPTION: Final = Sql(
    select(Subscription.mode).where(_OF_AGENT, Subscription.channel_id == bindparam("channel_id_"))
)
SUBSCRIPTIONS_OF: Final = Sql(select(Subscription.channel_id, Subscription.mode).where(_OF_AGENT))
SUBSCRIBERS: Final = Sql(
    select(Subscription.agent_id, Subscription.mode).where(
        Subscription.channel_id == bindparam("channel_id_")
    )
)
SET_MODE: Final = Sql(
    update(Subscription)
    .where(_OF_AGENT, Subscription.channel_id == bindparam("channel_id_"))
    .values(mode=bindparam("mode_"), updated_at=bindparam("now_"))
)
UNSUBSCRIBE: Final = Sql(
    delete(Subscription).where(_OF_AGENT, Subscription.channel_id == bindparam("channel_id_"))
)


class Subscribed(NamedTuple):
    """A subscription as it is now; None for a mode where there is none."""

    channel: Channel
    mode: str | None


def ensure(tx: Tx, workflow_id: str) -> None:
    """Make the channels of a workflow that has none: one that an earlier Perles started.

    A coordinator that it has already follows #system from now on.
    """
    made = False
    for slug in CHANNELS:
        if tx.first(Channel, CHANNEL, workflow_id=workflow_id, slug=slug) is None:
            tx.insert(Channel, workflow_id=workflow_id, slug=slug)
            made = True
    coordinator = tx.first(Agent, statements.COORDINATOR_OF, workflow_id=workflow_id)
    if made and coordinator is not None:
        _set(tx, coordinator.id, channel_named(tx, workflow_id, "system").id, "all")


def begin(tx: Tx, coordinator: Agent) -> None:
    """A workflow starts: it has its channels, and its coordinator follows #system."""
    ensure(tx, coordinator.workflow_id)
    channel = channel_named(tx, coordinator.workflow_id, "system")
    _set(tx, coordinator.id, channel.id, "all")


def channel_named(tx: Tx, workflow_id: str, slug: str) -> Channel:
    """A channel of a workflow, made where it is not there yet. Raises `NotFoundError`."""
    name = slug.removeprefix("#").lower()
    if name not in CHANNELS:
        hint = f"the channels are {', '.join(POSTABLE)}"
        raise NotFoundError("channel", slug[:80], hint)
    found = tx.first(Channel, CHANNEL, workflow_id=workflow_id, slug=name)
    if found is None:
        ensure(tx, workflow_id)
        found = tx.first(Channel, CHANNEL, workflow_id=workflow_id, slug=name)
    assert found is not None
    return found


def postable(tx: Tx, workflow_id: str, slug: str) -> Channel:
    """A channel that can be posted in. Raises `NotFoundError`, `UsageError`."""
    found = channel_named(tx, workflow_id, slug)
    if found.slug not in POSTABLE:
        raise UsageError(f"cannot post in #{found.slug}: post in {', '.join(POSTABLE)}")
    return found


def subscribe(tx: Tx, agent: Agent, slug: str, mode: str) -> Subscribed:
    """Set which posts of a channel the agent gets from now on. Raises `NotFoundError`."""
    channel = channel_named(tx, agent.workflow_id, slug)
    if _set(tx, agent.id, channel.id, mode):
        _tell(tx, agent, channel, mode)
    return Subscribed(channel, mode)


def unsubscribe(tx: Tx, agent: Agent, slug: str) -> Subscribed:
    """The agent follows a channel no more. Raises `NotFoundError`."""
    channel = channel_named(tx, agent.workflow_id, slug)
    if tx.run(UNSUBSCRIBE, agent_id_=agent.id, channel_id_=channel.id):
        _tell(tx, agent, channel, None)
    return Subscribed(channel, None)


def mark_read(tx: Tx, workflow_id: str, slug: str, up_to: int) -> None:
    """Mark a channel as read up to this post. Raises `NotFoundError`."""
    channel = channel_named(tx, workflow_id, slug)
    found = tx.get(ChannelRead, channel.id)
    if found is None:
        tx.insert(ChannelRead, channel_id=channel.id, last_post_id=up_to)
    elif found.last_post_id < up_to:
        tx.update(ChannelRead, channel.id, last_post_id=up_to)


def hand_over(tx: Tx, old: Agent, fresh: Agent) -> None:
    """A successor follows what the one before it followed, and that one follows nothing."""
    for row in tx.rows(SUBSCRIPTIONS_OF, agent_id_=old.id):
        _set(tx, fresh.id, row["channel_id"], row["mode"])
        tx.run(UNSUBSCRIBE, agent_id_=old.id, channel_id_=row["channel_id"])


def _set(tx: Tx, agent_id: int, channel_id: int, mode: str) -> bool:
    """Whether that changes anything."""
    now = tx.value(SUBSCRIPTION, agent_id_=agent_id, channel_id_=channel_id)
    if now is None:
        tx.insert(Subscription, agent_id=agent_id, channel_id=channel_id, mode=mode)
    elif now != mode:
        tx.run(SET_MODE, agent_id_=agent_id, channel_id_=channel_id, mode_=mode, now_=tx.now)
    return bool(now != mode)


def _tell(tx: Tx, agent: Agent, channel: Channel, mode: str | None) -> None:
    payload = {"agent": agent.name, "channel": channel.slug, "mode": mode}
    journal.append(
        tx, "fabric.subscribed", payload, workflow_id=agent.workflow_id, agent_id=agent.id
    )
