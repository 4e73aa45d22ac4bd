"""Which database holds the truth: a PostgreSQL server where one is named, else the home's file.

`PERLES_DATABASE` names it, or the key `database` in the user's own file. Read commands ask this
at each start, so a file without that key is searched, and not parsed.
"""

from __future__ import annotations

import os
import re
from collections.abc import Mapping
from typing import Final

from perles.config.files import own_files
from perles.config.home import CONFIG_VARIABLES
from perles.domain.errors import UsageError
from perles.domain.patterns import lazy_pattern

VARIABLE: Final = "PERLES_DATABASE"
_KEY: Final = lazy_pattern(rb"^[\"']?database[\"']?\s*:", re.MULTILINE)
_SERVERS: Final = ("postgresql://", "postgres://", "postgresql+psycopg://")
_FILE: Final = ("", "sqlite")
_found: dict[tuple[str | None, ...], str | None] = {}


def server_url(environ: Mapping[str, str] = os.environ) -> str | None:
    """The URL of the PostgreSQL database; None for SQLite. Raises `UsageError`.

    A file is read once in the life of a process: who sets another database starts anew.
    """
    named = environ.get(VARIABLE)
    if named is not None:
        return checked(named, f"environment variable {VARIABLE}")
    about = tuple(environ.get(name) for name in CONFIG_VARIABLES)
    if about not in _found:
        _found[about] = _in_files(environ)
    return _found[about]


def _in_files(environ: Mapping[str, str]) -> str | None:
    for path in own_files(environ=environ):
        try:
            content = path.read_bytes()
        except OSError:
            continue  # the code that needs the configuration meets this error, and tells it
        if _KEY.search(content):
            from perles.config import yamlfile

            node = yamlfile.read(path).mapping().get("database")
            return None if node is None else checked(node.text(), node.where)
    return None


def checked(text: str, where: str) -> str | None:
    """The URL that a text names; None for SQLite. Raises `UsageError`, which repeats none of it.

    It may hold a password.
    """
    if text.strip() in _FILE:
        return None
    for scheme in _SERVERS:
        if text.startswith(scheme):
            return "postgresql://" + text.removeprefix(scheme)
    raise UsageError(
        f"{where}: cannot use this database: write postgresql://USER@HOST/NAME, or sqlite for "
        "the file in the home folder"
    )


def shown(url: str) -> str:
    """A URL without what is secret in it, and without its options."""
    scheme, _, rest = url.partition("://")
    address = rest.partition("?")[0]
    user, at, host = address.rpartition("@")
    return f"{scheme}://{user.partition(':')[0]}{at}{host}"
