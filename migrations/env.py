"""How Alembic reaches the database: on the connection of Perles, or by hand, from a shell.

By hand: `alembic [-x db=PATH|URL] upgrade head|current|check`. Without `-x db=` it is the
database of PERLES_HOME.
"""

import os
from pathlib import Path

from alembic import context
from alembic.util import CommandError
from sqlalchemy import Connection

from perles.config.database import checked
from perles.config.home import Paths, home
from perles.domain.errors import PerlesError
from perles.store import migrate
from perles.store.place import choose, engine_lock, shown, url_of
from perles.store.schema.tables import METADATA

_BEFORE_SERVERS = "0033"
"""The revisions up to this one are SQLite's: the next makes the whole schema on a server."""


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
    of_server = connection.dialect.name == "postgresql"
    if of_server and not context.get_context().get_current_heads():
        context.get_context().stamp(context.script, _BEFORE_SERVERS)
    with context.begin_transaction():
        context.run_migrations()


def _named(given: str | None, own: Path) -> Path:
    """The path of the database that was named, which may stand for one on a server.

    Raises `UsageError`.
    """
    if given is None:
        return own
    if "://" not in given:
        return Path(given).expanduser()
    choose(own, checked(given, "-x db"))
    return own


def _by_hand(verb: str) -> None:
    """Do what was asked for in a shell. Raises `CommandError`, which Alembic tells."""
    if context.is_offline_mode():
        raise CommandError("cannot write the migrations as SQL: they look at the rows they move")
    given = context.get_x_argument(as_dictionary=True).get("db")
    paths = Paths(home(os.environ))
    try:
        path = _named(given, paths.database_path())
        if verb == "upgrade" and not migrate.is_current(path):
            if given is None:
                paths.ensure_home()
            with engine_lock(path), migrate.upgrading(path) as connection:
                _migrate(connection)
        elif verb in ("upgrade", "current", "check", "revision"):
            if not migrate.is_there(path):
                raise CommandError(
                    f"there is no database {shown(path)}; alembic upgrade head makes it"
                )
            with migrate.looking(path) as connection:
                _migrate(connection)
        elif verb == "downgrade":
            kept = f"the backup that the upgrade kept, {path.name}.bak-REVISION"
            raise CommandError(
                f"cannot downgrade {shown(path)}: an older perles would not know what is in it; "
                f"stop the engine and put back {kept if url_of(path) is None else 'a dump of it'}"
            )
        else:
            raise CommandError(
                f"cannot {verb} {shown(path)}: upgrade, current and check are possible by hand"
            )
    except PerlesError as error:
        raise CommandError(str(error)) from error


on = context.config.attributes.get("connection")
if on is not None:
    _migrate(on)
else:
    asked = getattr(context.config.cmd_opts, "cmd", None)
    _by_hand(asked[0].__name__ if asked else "upgrade")
