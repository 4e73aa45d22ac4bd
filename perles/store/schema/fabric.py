"""Channels, and what is posted in them."""

from sqlalchemy import ForeignKey, Index, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from perles.store.schema.base import IDS_ONCE, Base, Dated, Key, one_of


class Channel(Dated, Base):
    """A place where agents of a workflow post."""

    __tablename__ = "channels"
    __table_args__ = (UniqueConstraint("workflow_id", "slug"),)
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    workflow_id: Mapped[str] = mapped_column(ForeignKey("workflows.id", ondelete="CASCADE"))
    slug: Mapped[str]


class Post(Dated, Base):
    """A text in a channel; a reply names its thread's first post as parent."""

    __tablename__ = "posts"
    __table_args__ = (
        one_of("kind", ("info", "request", "response", "completion", "error")),
        Index(None, "channel_id"),
        Index(None, "parent_id"),
        IDS_ONCE,
    )
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    channel_id: Mapped[int] = mapped_column(ForeignKey("channels.id", ondelete="CASCADE"))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("posts.id", ondelete="CASCADE"))
    author: Mapped[str]
    kind: Mapped[str] = mapped_column(server_default="info")
    body: Mapped[str]


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
