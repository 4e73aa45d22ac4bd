"""What a PostgreSQL server says, as the errors that the rest of the store knows.

They are subclasses of the errors of SQLite's driver: who waits out a full disk or a lock, or
tells of a database that cannot be used, does not ask which database it is.
"""

from __future__ import annotations

import re
from typing import Any, Final, cast

from perles.store.sqlite.driver import dbapi

_ADVICE: Final = {
    "28P01": "the password is wrong; set PGPASSWORD, or write it into ~/.pgpass",
    "28000": "the server does not let this user in; name another, or see its pg_hba.conf",
    "3D000": "there is no such database; make it: createdb NAME",
    "42501": "the user may not do this there; GRANT it, or use the owner of the schema",
    "53100": "the disk of the server is full; free some space there and try again",
    "53200": "the server has no memory left; try again later",
    "53300": "all connections of the server are taken; raise its max_connections, or end some",
    "55P03": "it is locked: another process writes; try again, or find it: perles engine status",
    "25006": "the server is a replica, or read-only; use the primary",
}
STARTS: Final = "57P03"
"""The SQLSTATE of a server that starts, or is about to end."""
_REFUSALS: Final = (
    ("password authentication failed|no password supplied", "28P01"),
    ("too many clients|too many connections|remaining connection slots", "53300"),
    ("role .* does not exist|pg_hba.conf|authentication failed|not permitted to log in", "28000"),
    ("database .* does not exist", "3D000"),
    ("permission denied for database", "42501"),
    ("the database system is", STARTS),
)
"""What a server says that lets nobody in, whose SQLSTATE the driver does not tell."""
NO_TABLE: Final = "42P01"
"""As the server numbers it: a statement names a table that is not there."""
_LOST: Final = frozenset({"57P01", "57P02", STARTS, "57P05", "25P03"})
_LOST_ADVICE: Final = "see that the server runs, and can be reached from here"
_OPERATIONAL: Final = frozenset({"53", "55", "57", "58", "08", "40", "XX", "25", "28", "3D"})


class ServerError(dbapi.OperationalError):  # type: ignore[misc] # the driver is chosen at run time
    """The server cannot do it now. `told` is what a person reads."""

    told = ""
    sqlstate: str | None = None


class LostConnectionError(ServerError):
    """The connection is gone: what was asked may be asked again on a new one."""

    lost = True


class ConstraintError(dbapi.IntegrityError):  # type: ignore[misc] # as above
    """A row that the schema does not allow."""

    told = ""


class StatementError(dbapi.ProgrammingError):  # type: ignore[misc] # as above
    """A statement that the server does not understand: a fault of ours."""

    told = ""
    sqlstate: str | None = None


def translated(error: Any, shown: str, *, closed: bool) -> Exception:
    """The error to raise for the driver's; `shown` names the database, without a password."""
    state: str | None = getattr(error, "sqlstate", None)
    said = _first_line(error)
    if state is None and not closed and type(error).__name__ in ("ProgrammingError", "DataError"):
        return _told(StatementError(said), said, shown)
    if closed or state in _LOST or (state or "08")[:2] == "08":
        return _made(LostConnectionError, said, shown, state, _ADVICE.get(state or "", ""))
    if state is not None and state[:2] == "23":
        return _told(ConstraintError(said), said, shown)
    if state == "22003":
        return OverflowError(f"{said}, for the database")  # as of SQLite's driver
    if state is not None and (state[:2] in _OPERATIONAL or state in _ADVICE):
        return _made(ServerError, said, shown, state, _ADVICE.get(state, "see the server's log"))
    made = StatementError(said)
    made.sqlstate = state
    return _told(made, said, shown)


def _told(error: Any, said: str, shown: str) -> Exception:
    """With what a person reads: which database it was, which no path tells."""
    error.told = f"cannot use database {shown}: {said}; that is a fault of perles: report it"
    return cast("Exception", error)


def _made(
    kind: type[ServerError], said: str, shown: str, state: str | None, advice: str
) -> ServerError:
    made = kind(said)
    made.sqlstate = state
    made.told = f"cannot use database {shown}: {said}; {advice or _LOST_ADVICE}"
    return made


def _first_line(error: object) -> str:
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return lines[0] if lines else type(error).__name__


def connection_error(error: Any, shown: str) -> ServerError:
    """The error of an attempt to connect, with the server's own words and what to do."""
    said = str(error)
    state = next((state for words, state in _REFUSALS if re.search(words, said)), None)
    lines = [line.strip() for line in said.splitlines() if line.strip()]
    why = next((line for line in lines if "FATAL" in line or "failed" in line), said[:200].strip())
    # Where the server itself refuses, its own words say all.
    why = re.sub(r"^.*FATAL: +", "", why).removeprefix("connection failed: ")
    kind = LostConnectionError if state in (None, "53300", STARTS) else ServerError
    return _made(kind, why, shown, state, _ADVICE.get(state or "", ""))
