"""What an agent said and did last, for itself or whoever goes on in its place."""

from typing import Final

from perles.engine import queries
from perles.store import journal
from perles.store.database import Reader
from perles.store.schema import Agent

LAST_WORDS: Final = 5
MAX_WORDS: Final = 2000
"""How many texts of the old agent the new one is told, and how long each may be."""


def last_words(reader: Reader, old: Agent) -> list[str]:
    """The last that an agent said or did, oldest first, each bounded."""
    rows = reader.rows(queries.LAST_OUTPUTS, agent_id=old.id, limit=LAST_WORDS)
    texts = [str(journal.decode(row["payload"]).get("text", "")) for row in reversed(rows)]
    return [text[:MAX_WORDS] for text in texts if text.strip()]
