"""Access tokens: what each role allows, and what is kept of a token."""

import hashlib
from typing import Final

READ: Final = "read"
OPERATE: Final = "operate"
ADMIN: Final = "admin"
ROLES: Final = (READ, OPERATE, ADMIN)
"""Each may also do what those before it may."""
PREFIX: Final = "perles_"
"""How each token begins, so that it is known for what it is where it is found."""


def allows(role: str, needed: str) -> bool:
    """Whether somebody with this role may do what needs that one."""
    return ROLES.index(role) >= ROLES.index(needed)


def digest(secret: str) -> str:
    """What is kept of a token. It has 256 random bits: nothing slower is needed."""
    return hashlib.sha256(secret.encode(errors="replace")).hexdigest()
