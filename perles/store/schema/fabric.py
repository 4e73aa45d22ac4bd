"""Channels, and what is posted in them."""

from perles.store.expressions import (
    ForeignKey,
    Index,
    Mapped,
    UniqueConstraint,
    mapped_column,
)
from perles.store.schema.base import IDS_ONCE, Base, Dated, Key, one_of, where


class Channel(Dated, Base):
    """A place where agents of a workflow post."""

    __tablename__ = "channels"
    __table_args__ = (UniqueConstraint("workflow_id", "slug"),)
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    workflow_id: Mapped[str] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    slug: Mapped[str]
    threads: Mapped[int] = mapped_column(server_default="0")
    """How many posts there are in it that are no replies."""


class Post(Dated, Base):
    """A text in a channel; a reply names its thread's first post as parent."""

    __tablename__ = "posts"
    __table_args__ = (
        one_of("kind", ("info", "request", "response", "completion", "error")),
        Index(None, "channel_id"),
        Index(None, "parent_id"),
        Index("ix_posts_threads", "channel_id", **where("parent_id IS NULL")),
        IDS_ONCE,
    )
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    author: Mapped[str]
    kind: Mapped[str] = mapped_column(server_default="info")
    body: Mapped[str]
    replies: Mapped[int] = mapped_column(server_default="0")


class PostMention(Dated, Base):
    """A post names an agent."""

    __tablename__ = "post_mentions"
    post_id: Mapped[int] = mapped_column(
        ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True
    )
    agent_id: Mapped[int] = mapped_column(
        ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True
    )


class Subscription(Dated, Base):
    """What an agent wants to hear of a channel."""

    __tablename__ = "subscriptions"
    __table_args__ = (one_of("mode", ("all", "mentions", "none")),)
    agent_id: Mapped[int] = mapped_column(
        ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True
    )
    channel_id: Mapped[int] = mapped_column(
        ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True
    )
    mode: Mapped[str]


class ThreadMember(Dated, Base):
    """An agent that wrote in a thread, was named in it, or works on its task."""

    __tablename__ = "thread_members"
    post_id: Mapped[int] = mapped_column(
        ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True
    )
    agent_id: Mapped[int] = mapped_column(
        ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True
    )


class InboxItem(Dated, Base):
    """A post that concerns an agent and waits for its ack."""

    __tablename__ = "inbox_items"
    __table_args__ = (
        Index("ix_inbox_items_untold", "agent_id", "post_id", **where("told_at IS NULL")),
        Index(None, "post_id"),
    )
    agent_id: Mapped[int] = mapped_column(
        ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True
    )
    post_id: Mapped[int] = mapped_column(
        ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True
    )
    told_at: Mapped[str | None]
    """When the agent was told of it, or saw it by itself."""


class ChannelRead(Dated, Base):
    """Up to which post the person has read a channel."""

    __tablename__ = "channel_reads"
    channel_id: Mapped[int] = mapped_column(
        ForeignKey("channels.id", ondelete="CASCADE"), primary_key=True, autoincrement=False
    )
    last_post_id: Mapped[int]


class Ack(Dated, Base):
    """An agent has read a post."""

    __tablename__ = "acks"
    post_id: Mapped[int] = mapped_column(
        ForeignKey("posts.id", ondelete="CASCADE"), primary_key=True
    )
    agent_id: Mapped[int] = mapped_column(
        ForeignKey("agents.id", ondelete="CASCADE"), primary_key=True
    )


class Artifact(Dated, Base):
    """A file that a post refers to by its path."""

    __tablename__ = "artifacts"
    __table_args__ = (Index(None, "post_id"),)
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    post_id: Mapped[int] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    name: Mapped[str]
    path: Mapped[str]
    media_type: Mapped[str | None]
    size_bytes: Mapped[int | None]
    author: Mapped[str]
