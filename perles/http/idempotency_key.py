"""The key of a request that is to be carried out once."""

import hashlib
from typing import Final, NamedTuple

from perles.http.wire import Refused
from perles.store.reads.tokens import Holder

MAX_KEY: Final = 200


class Keyed(NamedTuple):
    """A request with a key: `digest` tells it from another one with the same key."""

    token_id: int
    key: str
    digest: str


def keyed_of(holder: Holder, key: str | None, method: str, path: str, body: bytes) -> Keyed | None:
    """The key of a request, where it has one. Raises `Refused`."""
    if key is None:
        return None
    if not key or len(key) > MAX_KEY or not key.isprintable():
        raise Refused(400, f"an Idempotency-Key has 1 to {MAX_KEY} printable characters")
    asked = b"\0".join((method.encode(), path.encode(), body))
    return Keyed(holder.id, key, hashlib.sha256(asked).hexdigest())
