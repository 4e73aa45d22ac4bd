"""All tables at once, to compare them with a database."""

from typing import Final

from sqlalchemy import MetaData

from perles.store.schema import (
    access,
    agents,
    engine,
    fabric,
    journal,
    nodes,
    questions,
    resources,
    tasks,
    workflows,
)
from perles.store.schema.base import Base

ROOMS: Final = (
    *(access, agents, engine, fabric, journal, nodes, questions, resources, tasks, workflows),
)
"""The modules whose rows make up the database: importing them makes their tables known."""
METADATA: Final[MetaData] = Base.metadata
