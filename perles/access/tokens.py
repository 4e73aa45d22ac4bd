"""Access tokens: made, and taken back. The secret is told once; what is kept is its hash."""

import secrets
from datetime import datetime, timedelta
from typing import Final

from perles.access.origin import Origin
from perles.domain.clock import to_text
from perles.domain.errors import NotFoundError, UsageError
from perles.domain.nearest import nearest
from perles.domain.plain import is_one_line
from perles.domain.tokens import PREFIX, ROLES, digest
from perles.store.events import journal
from perles.store.expressions import bindparam, select
from perles.store.schema.access import AccessToken
from perles.store.sql import Sql
from perles.store.transaction import Tx

MAX_NAME: Final = 100
_BY_NAME: Final = Sql(
    select(AccessToken.__table__).where(
        AccessToken.name == bindparam("name"), AccessToken.revoked_at.is_(None)
    )
)


def create(tx: Tx, name: str, role: str, lifetime: float | None, by: Origin) -> str:
    """Create a token, valid for `lifetime` seconds or until revoked; return the secret.

    Raises `UsageError` for a role that there is not, and for a name that is taken or none.
    """
    if role not in ROLES:
        raise UsageError(
            f"cannot make a token with role {role!r}{nearest(role, ROLES)}; "
            f"known are {', '.join(ROLES)}"
        )
    if not name.strip() or len(name) > MAX_NAME or not is_one_line(name):
        raise UsageError(
            f"cannot name a token {name[:MAX_NAME]!r}: one line of 1 to {MAX_NAME} characters"
        )
    if tx.first(AccessToken, _BY_NAME, name=name) is not None:
        raise UsageError(f"cannot make a second token {name!r}: perles token revoke {name}")
    secret = PREFIX + secrets.token_urlsafe(32)
    expires_at = None
    if lifetime is not None:
        expires_at = to_text(datetime.fromisoformat(tx.now) + timedelta(seconds=lifetime))
    origin = journal.encode(by.payload())
    tx.insert(
        AccessToken,
        name=name,
        role=role,
        hash=digest(secret),
        expires_at=expires_at,
        origin=origin,
    )
    told = {"name": name, "role": role, "expires_at": expires_at, "by": by.payload()}
    journal.append(tx, "token.created", told)
    return secret


def revoke(tx: Tx, name: str, by: Origin) -> None:
    """Revoke a token: requests with it are refused from now on. Raises `NotFoundError`."""
    found = tx.first(AccessToken, _BY_NAME, name=name)
    if found is None:
        raise NotFoundError("token", name, "perles token list shows the valid ones")
    tx.update(AccessToken, found.id, revoked_at=tx.now)
    journal.append(tx, "token.revoked", {"name": name, "by": by.payload()})
