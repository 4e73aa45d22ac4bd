"""Who may ask over HTTP, and what was asked with a key."""

from perles.domain.tokens import ROLES
from perles.store.expressions import (
    ForeignKey,
    Index,
    Mapped,
    UniqueConstraint,
    mapped_column,
)
from perles.store.schema.base import IDS_ONCE, Base, Dated, Key, one_of, where


class AccessToken(Dated, Base):
    """A token of a person or a program; only its hash is kept. Names are unique while it holds."""

    __tablename__ = "access_tokens"
    __table_args__ = (
        one_of("role", ROLES),
        UniqueConstraint("hash"),
        Index("uq_access_tokens_name", "name", unique=True, **where("revoked_at IS NULL")),
        IDS_ONCE,
    )
    id: Mapped[int] = mapped_column(Key, primary_key=True)
    name: Mapped[str]
    role: Mapped[str]
    hash: Mapped[str]
    expires_at: Mapped[str | None]
    revoked_at: Mapped[str | None]
    origin: Mapped[str | None]


class KeyedRequest(Dated, Base):
    """A request with an Idempotency-Key: made in the transaction of what it changed.

    `request` is a digest of what was asked, `done` what its transaction gave, as JSON; `status`
    and `answer` are what the client was told, once that was known.
    """

    __tablename__ = "keyed_requests"
    __table_args__ = (Index(None, "created_at"),)
    token_id: Mapped[int] = mapped_column(
        ForeignKey("access_tokens.id", ondelete="CASCADE"), primary_key=True
    )
    key: Mapped[str] = mapped_column(primary_key=True)
    request: Mapped[str]
    done: Mapped[str | None]
    status: Mapped[int | None]
    answer: Mapped[str | None]
