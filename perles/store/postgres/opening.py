"""A session of psycopg under the rules of every one that Perles opens, on a server that will do."""

from __future__ import annotations

from typing import Any, Final

from perles.domain.errors import DatabaseError

try:
    import psycopg as psycopg
    from psycopg.types.bool import BoolLoader
    from psycopg.types.numeric import NumericLoader
except ImportError as error:
    raise DatabaseError(
        "cannot use a PostgreSQL database: psycopg is not installed; pip install 'perles[postgres]'"
    ) from error

CONNECT_SECONDS: Final = 10
"""How long an attempt to connect may take."""
LOCK_SECONDS: Final = 10
"""How long a transaction waits at most for the one that writes, and a statement for a table."""
IDLE_SECONDS: Final = 30
"""After which the server ends a transaction whose process stands still: others wait for it."""
_KEEPALIVES: Final = {"keepalives_idle": 5, "keepalives_interval": 2, "keepalives_count": 3}
"""A machine that is gone without a word is noticed within 11 s, on both sides."""
_SETTINGS: Final = (
    f"SET idle_in_transaction_session_timeout = '{IDLE_SECONDS}s'; "
    "SET default_transaction_isolation = 'read committed'; "
    "SET tcp_keepalives_idle = 5; SET tcp_keepalives_interval = 2; SET tcp_keepalives_count = 3; "
    "SET client_min_messages = 'warning'; SET jit = off; SET synchronous_commit = on; "
    "SELECT current_setting('server_version_num')::int, pg_is_in_recovery(), "
    "current_setting('server_encoding'), pg_backend_pid()"
)
_READS_ONLY: Final = "SET default_transaction_read_only = on; "
OLDEST: Final = 130_000
"""The oldest server that will do, as it numbers itself: 13."""


class _Whole(NumericLoader):  # type: ignore[misc] # the driver is an extra
    """Sums and averages as SQLite has them: whole numbers, or floats."""

    def load(self, data: Any) -> Any:
        text = bytes(data).decode()
        return float(text) if "." in text or "N" in text or "e" in text else int(text)


class _Flag(BoolLoader):  # type: ignore[misc] # as above
    """1 or 0, as SQLite has them."""

    def load(self, data: Any) -> Any:
        return 1 if data == b"t" else 0


def connect(url: str, application: str) -> psycopg.Connection[Any]:
    """A session on which statements commit by themselves. Raises the driver's own errors."""
    made: psycopg.Connection[Any] = psycopg.connect(
        url,
        autocommit=True,
        connect_timeout=CONNECT_SECONDS,
        application_name=application,
        client_encoding="UTF8",
        **_KEEPALIVES,
    )
    made.adapters.register_loader("numeric", _Whole)
    made.adapters.register_loader("bool", _Flag)
    return made


def settings(*, reads_only: bool, patience: float) -> str:
    """What a new session is told; its answer is the facts that `refuse_unfit` takes.

    It waits for a lock no longer than `patience`: a screen must not stand still.
    """
    waits = f"SET lock_timeout = {int(1000 * min(LOCK_SECONDS, patience))}; "
    return (_READS_ONLY if reads_only else "") + waits + _SETTINGS


def refuse_unfit(shown: str, facts: Any) -> None:
    """Raise `DatabaseError` for a server that is too old, a replica, or not in UTF-8."""
    version, is_replica, encoding, _pid = facts
    if version < OLDEST:
        raise DatabaseError(
            f"cannot use database {shown}: its server is PostgreSQL {version // 10_000}, "
            f"Perles needs {OLDEST // 10_000} or newer"
        )
    if is_replica:
        raise DatabaseError(
            f"cannot use database {shown}: its server is a replica; name the primary"
        )
    if encoding != "UTF8":
        raise DatabaseError(
            f"cannot use database {shown}: its encoding is {encoding}; make one with "
            "createdb --encoding=UTF8 --template=template0 NAME"
        )
