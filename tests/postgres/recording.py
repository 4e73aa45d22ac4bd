"""The script of a new database on a server: what the migrations say there, as they say it.

`make statements` writes it where PostgreSQL is installed. `test_schema.py` holds that it makes
what the migrations make.
"""

from typing import Any, Final

import psycopg
from alembic import command
from sqlalchemy import create_engine

from perles.store import migrate
from perles.store.sqlite import fresh
from perles.store.version import HEAD
from tests.postgres.server import Server

_ASKS: Final = ("SELECT", "SHOW")
"""How statements begin that change nothing."""


def script(server: Server) -> str:
    """What the migrations say to an empty database of a server."""
    said: list[str] = []

    class Noting(psycopg.ClientCursor[Any]):  # type: ignore[misc] # the driver is an extra
        """Notes each statement that changes something, with its parameters in it."""

        def execute(self, query: Any, params: Any = None, **options: Any) -> "Noting":
            text = self.mogrify(query, params or None)
            if not text.lstrip().upper().startswith(_ASKS):
                said.append(text)
            super().execute(query, params or None, **options)
            return self

    server.run("CREATE DATABASE recorded")

    def connect() -> Any:
        return psycopg.connect(server.url("recorded"), cursor_factory=Noting)

    engine = create_engine("postgresql+psycopg://", creator=connect)
    config = migrate.alembic_config()
    with engine.begin() as config.attributes["connection"]:
        command.upgrade(config, "head")
    engine.dispose()
    return fresh.FIRST_LINE.format(HEAD) + "".join(_ended(text) for text in said)


def _ended(text: str) -> str:
    lines = "\n".join(line.rstrip() for line in text.strip().splitlines())
    return lines.rstrip(";") + ";\n"
