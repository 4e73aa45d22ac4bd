"""Who leads: the number of the engine that may write."""

from perles.store.expressions import CheckConstraint, Mapped, mapped_column
from perles.store.schema.base import Base, Dated


class Leadership(Dated, Base):
    """One row. Each engine that starts counts the epoch up by one: the highest number leads."""

    __tablename__ = "leadership"
    __table_args__ = (CheckConstraint("id = 1", name="one_row"),)
    id: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    epoch: Mapped[int]
