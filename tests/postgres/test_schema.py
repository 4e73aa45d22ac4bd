"""The migrations give a server the tables that the models declare."""

from pathlib import Path

from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from perles.store import migrate
from perles.store.reads.connection import reading
from perles.store.schema.tables import METADATA
from perles.store.version import HEAD

VIEWS = ("workflow_overview", "running_workflows", "agent_overview", "start_queue")


def test_the_migrations_and_the_models_say_the_same(path: Path) -> None:
    assert migrate.ensure(path)

    assert migrate.current(path) == HEAD
    with migrate.looking(path) as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        assert compare_metadata(context, METADATA) == []
    with reading(path) as opened:
        assert opened is not None
        for view in (*VIEWS, "resource_usage", "recent_events"):
            opened.execute(f"SELECT * FROM {view}").fetchall()
    assert not migrate.ensure(path)
