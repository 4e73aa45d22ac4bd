"""The machines of a cluster, as the engine knows them."""

from perles.domain.states import CLUSTER, NODE
from perles.store.expressions import CheckConstraint, Mapped, mapped_column
from perles.store.schema.base import Base, Dated, not_negative, state_of


class Node(Dated, Base):
    """A machine on which turns can run, by its name. `facts` and `labels` are JSON.

    `slots` are the turns that it takes at once, `facts` what it told of itself when it was heard
    last: memory and disk in bytes, clock skew in seconds. `problems` are texts, in JSON.
    """

    __tablename__ = "nodes"
    __table_args__ = (state_of(NODE, "state"), not_negative("slots"))
    id: Mapped[str] = mapped_column(primary_key=True)
    state: Mapped[str]
    slots: Mapped[int]
    labels: Mapped[str] = mapped_column(server_default="[]")
    facts: Mapped[str] = mapped_column(server_default="{}")
    problems: Mapped[str] = mapped_column(server_default="[]")
    drain: Mapped[int] = mapped_column(server_default="0")
    """1: a person wants it to get no more turns; 2: and it has none any more; 0: neither."""
    joined_at: Mapped[str]
    last_heard_at: Mapped[str]
    version: Mapped[int] = mapped_column(server_default="0")


class ClusterLink(Dated, Base):
    """The connection of the engine to its cluster: one row, none where it has no cluster.

    `lost_after` is how many seconds of a node's silence make its turns lost, None where they wait
    for it; `fenced_after` how many until it has ended its agents for certain. `since` is when the
    state was reached, `problem` why the cluster cannot be.
    """

    __tablename__ = "cluster"
    __table_args__ = (state_of(CLUSTER, "state"), CheckConstraint("id = 1", name="one_row"))
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    state: Mapped[str]
    place: Mapped[str]
    problem: Mapped[str] = mapped_column(server_default="")
    since: Mapped[str]
    lost_after: Mapped[float | None]
    fenced_after: Mapped[float]
    version: Mapped[int] = mapped_column(server_default="0")
