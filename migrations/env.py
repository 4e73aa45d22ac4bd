"""How Alembic reaches the database: on the connection of Perles, or on that of alembic.ini."""

from alembic import context
from sqlalchemy import Connection, create_engine

from perles.store.schema.tables import METADATA


def _is_ours(_obj: object, name: str | None, kind: str, _reflected: bool, _other: object) -> bool:
    return not (kind == "table" and name is not None and name.startswith("sqlite_"))


def _migrate(connection: Connection) -> None:
    context.configure(
        connection=connection,
        target_metadata=METADATA,
        render_as_batch=True,
        compare_type=True,
        include_object=_is_ours,
        transactional_ddl=True,
    )
    with context.begin_transaction():
        context.run_migrations()


given = context.config.attributes.get("connection")
if given is not None:
    _migrate(given)
else:
    with create_engine(context.config.get_main_option("sqlalchemy.url") or "").begin() as own:
        _migrate(own)
