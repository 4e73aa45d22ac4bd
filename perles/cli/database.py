"""`perles db`: the database file itself."""

import os

import typer

from perles.cli.options import Json
from perles.cli.output import print_json, say
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import UsageError

app = typer.Typer(help="Look at the database file.", no_args_is_help=True)


@app.command()
def upgrade(json: Json = False) -> None:
    """Create the database, or migrate it to this version's schema (a backup is kept)."""
    from perles.store import migrate
    from perles.store.version import HEAD

    plane = ControlPlane()
    plane.paths.ensure_home()
    upgraded = migrate.ensure(plane.database_path)
    if json:
        found = {"path": str(plane.database_path), "schema": HEAD, "upgraded": bool(upgraded)}
        print_json(found, line=True)
    elif upgraded:
        say(f"upgraded {plane.database_path} to schema {HEAD}")
    else:
        say(f"{plane.database_path} has schema {HEAD} already")


@app.command()
def current(json: Json = False) -> None:
    """Show the schema of the database and of this program."""
    from perles.store import migrate
    from perles.store.version import HEAD

    found = migrate.current(ControlPlane().database_path)
    if json:
        print_json({"database": found, "program": HEAD}, line=True)
    else:
        say(f"database {found or 'none'}, program {HEAD}")


@app.command()
def path(json: Json = False) -> None:
    """Print where the database is."""
    found = ControlPlane().database_path
    if json:
        print_json({"path": str(found)}, line=True)
    else:
        print(found)


@app.command()
def shell() -> None:
    """Open the database in sqlite3, to read it; change things through perles."""
    database = ControlPlane().database_path
    if not database.exists():
        raise UsageError(f"cannot open {database}: it is not there yet; perles db upgrade makes it")
    try:
        os.execvp("sqlite3", ["sqlite3", "-header", "-column", str(database)])  # noqa: S606 - meant
    except FileNotFoundError:
        raise UsageError(
            "cannot find the program sqlite3: install your system's package of that name"
        ) from None
