"""What an agent said and did last, for itself or for its successor."""

from typing import Final

from perles.store.events import journal
from perles.store.expressions import bindparam, select
from perles.store.reader import Reader
from perles.store.schema.agents import Agent
from perles.store.schema.journal import Event
from perles.store.sql import Sql

LAST_WORDS: Final = 5
MAX_WORDS: Final = 2000
"""How many texts of the old agent the new one is told, and how long each may be."""

LAST_OUTPUTS: Final = Sql(
    select(Event.payload)
    .where(
        Event.agent_id == bindparam("agent_id"),
        Event.type.in_(["coordinator.output", "worker.output", "observer.output"]),
    )
    .order_by(Event.seq.desc())
    .limit(bindparam("limit"))
)


def last_words(reader: Reader, old: Agent) -> list[str]:
    """The last that an agent said or did, oldest first, each bounded."""
    rows = reader.rows(LAST_OUTPUTS, agent_id=old.id, limit=LAST_WORDS)
    texts = [str(journal.decode(row["payload"]).get("text", "")) for row in reversed(rows)]
    return [text[:MAX_WORDS] for text in texts if text.strip()]
