"""Ports: bound before they are leased, so that one in use by a stranger is skipped."""

import errno
import socket
from typing import Final

from perles.config.model import ResourcePolicy
from perles.domain.errors import LimitReachedError
from perles.store.expressions import select
from perles.store.reader import Reader
from perles.store.schema.resources import Lease
from perles.store.sql import Sql

LEASED_PORTS: Final = Sql(select(Lease.value).where(Lease.kind == "port"))


def bind_port(reader: Reader, policy: ResourcePolicy, preferred: int | None) -> socket.socket:
    """A listening socket on a free port of the range, the preferred one first.

    The port is bound before it is leased, so one that a stranger uses is passed
    over. Raises `LimitReachedError` when the whole range is in use.
    """
    if preferred is not None and (bound := _bind(preferred)) is not None:
        return bound
    leased = {row[0] for row in reader.rows(LEASED_PORTS)}
    first, last = policy.port_range_start, policy.port_range_end
    candidates = [port for port in range(first, last + 1) if port not in leased]
    for port in candidates:
        bound = _bind(port)
        if bound is not None:
            return bound
    raise LimitReachedError(f"no free port in {first}-{last}")


def _bind(port: int) -> socket.socket | None:
    # The protocol is named so that asyncio turns Nagle's algorithm off: with it a call takes 40 ms.
    listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP)
    listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listener.bind(("127.0.0.1", port))
        listener.listen(128)
    except OSError as error:
        listener.close()
        if error.errno in (errno.EADDRINUSE, errno.EACCES):
            return None
        raise
    listener.setblocking(False)
    return listener
