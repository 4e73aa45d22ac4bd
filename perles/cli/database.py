"""`perles db`: the database itself, a file or a schema on a server."""

import os
from pathlib import Path
from typing import Annotated

import typer

from perles.cli.options import Json
from perles.cli.output import print_json, say, warn
from perles.controlplane.plane import ControlPlane
from perles.domain.errors import UsageError

app = typer.Typer(
    help="Upgrade, show, open or copy the database; print its path.", no_args_is_help=True
)


@app.command()
def upgrade(json: Json = False) -> None:
    """Create the database, or migrate it to this version's schema (a backup is kept)."""
    plane = ControlPlane()
    upgraded = plane.migrate()
    schema = plane.schemas().program
    if json:
        found = {"path": plane.database_name, "schema": schema, "upgraded": upgraded}
        print_json(found, line=True)
    elif upgraded:
        say(f"upgraded {plane.database_name} to schema {schema}")
    else:
        say(f"{plane.database_name} has schema {schema} already")


@app.command()
def current(json: Json = False) -> None:
    """Show the schema of the database and of this program."""
    found = ControlPlane().schemas()
    if json:
        print_json(found._asdict(), line=True)
    else:
        say(f"database {found.database or 'none'}, program {found.program}")


@app.command()
def path(json: Json = False) -> None:
    """Print the path of the database, or its URL on a server, without the password."""
    plane = ControlPlane()
    found, file = plane.database_name, plane.database_path
    if json:
        print_json({"path": found}, line=True)
    else:
        print(found)
    if found == str(file) and not _has_content(file):
        warn("perles: it has no database yet; the first workflow or perles db upgrade creates it")


def _has_content(file: Path) -> bool:
    """Whether it is there, and not the empty file that sqlite3 makes of a name."""
    try:
        return file.stat().st_size > 0
    except OSError:
        return False


@app.command()
def copy(
    source: Annotated[str, typer.Argument(metavar="SOURCE", help="A file, or a URL.")],
    target: Annotated[str, typer.Argument(metavar="TARGET", help="A new or an empty database.")],
    json: Json = False,
) -> None:
    """Copy a database with its history between a file and a PostgreSQL server, and compare both.

    Nothing is written where a row differs, TARGET is not empty, or an engine runs. Leave the
    password out of a URL: PGPASSWORD and ~/.pgpass are read.
    """
    rows = ControlPlane().copy_database(source, target)
    if json:
        print_json({"rows": rows}, line=True)
    else:
        say(f"copied {sum(rows.values())} rows of {len(rows)} tables, and compared each")


@app.command()
def shell() -> None:
    """Open the database in sqlite3 for reading; use perles for changes."""
    plane = ControlPlane()
    database = plane.database_path
    if plane.database_name != str(database):
        raise UsageError(
            f"cannot open {plane.database_name} in sqlite3: it is on a server; psql opens it, "
            "with the URL that you gave to perles"
        )
    if not database.exists():
        raise UsageError(
            f"cannot open {database}: it does not exist yet; perles db upgrade creates it"
        )
    try:
        os.execvp("sqlite3", ["sqlite3", "-header", "-column", str(database)])  # noqa: S606 - meant
    except FileNotFoundError:
        raise UsageError(
            "cannot find the program sqlite3: install your system's package of that name"
        ) from None
