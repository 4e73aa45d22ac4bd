"""Who may ask: Host and Origin, then the token, before a body is read.

Whether the role of the token allows a route is decided in `service.py` (`find`).

There are no cookies: a browser sends nothing by itself that another site could use.
"""

import ipaddress
import time
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

from perles.http.limits import Limits, Rates
from perles.http.wire import Refused, Request
from perles.store.reads.tokens import Holder

KNOWN_SECONDS: Final = 2.0
"""How long a token that was looked up is taken as it was; a revocation is heard of at once."""
_MANY: Final = 1024


class Address(NamedTuple):
    """Where it is listened. `names` are names by which browsers may reach it, beside its own."""

    host: str
    port: int
    secure: bool
    names: Sequence[str] = ()

    @property
    def is_loopback(self) -> bool:
        """Whether only this machine can reach it."""
        return is_loopback(self.host)

    @property
    def url(self) -> str:
        """As a person opens it."""
        host = "127.0.0.1" if self.host in ("0.0.0.0", "::") else self.host  # noqa: S104
        return f"{self.scheme}://{f'[{host}]' if ':' in host else host}:{self.port}"

    @property
    def scheme(self) -> str:
        """`http` or `https`."""
        return "https" if self.secure else "http"


def is_loopback(host: str) -> bool:
    """Whether a host, a name or an address, is this machine alone."""
    if host == "localhost":
        return True
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return False


class Guard:
    """Lets those through who may."""

    def __init__(
        self, address: Address, identify: Callable[[str], Holder | None], limits: Limits
    ) -> None:
        """`identify` tells who holds a token; it may read the database."""
        self._address = address
        self._identify = identify
        self._known: dict[str, tuple[Holder, float]] = {}
        self._rates = Rates(limits.rate, limits.burst)
        self._stranger_rates = Rates(limits.stranger_rate, limits.stranger_burst)

    def forget(self) -> None:
        """Tokens have changed."""
        self._known.clear()

    def check_site(self, request: Request) -> None:
        """Raise `Refused` for a request that a page of another site makes, or to another name."""
        host = request.headers.get("host", "")
        if not self._is_ours(host):
            raise Refused(421, "the Host is none that is served here", closes=True)
        origin = request.headers.get("origin")
        if origin is not None and origin != f"{self._address.scheme}://{host}":
            raise Refused(403, "the Origin is another site", closes=True)
        if request.headers.get("sec-fetch-site") in ("cross-site", "same-site"):
            if request.method == "GET" and request.headers.get("sec-fetch-mode") == "navigate":
                return  # a link to the page: it shows nothing without a token
            raise Refused(403, "another site asks", closes=True)

    def knows(self, request: Request) -> bool:
        """Whether the token was looked up a moment ago, so that `admit` reads nothing."""
        _, at = self._known.get(_secret(request), (None, 0.0))
        return time.monotonic() - at < KNOWN_SECONDS

    def admit(self, request: Request, peer: str) -> Holder:
        """Who asks; may read the database. Raises `Refused`."""
        holder = self.holder(_secret(request))
        if holder is None:
            self.allow_stranger(peer)
            why = "no token that holds: perles token create NAME --role read"
            raise Refused(401, why)
        if not self._rates.allow(holder.id):
            raise Refused(429, "too many requests with this token")
        return holder

    def allow_stranger(self, peer: str) -> None:
        """Count a request of somebody without a token. Raises `Refused`."""
        if not self._stranger_rates.allow(peer):
            raise Refused(429, "too many requests from this address", closes=True)

    def holder(self, secret: str) -> Holder | None:
        """Who holds this token."""
        now = time.monotonic()
        holder, at = self._known.get(secret, (None, 0.0))
        if holder is None or now - at > KNOWN_SECONDS:
            holder = self._identify(secret) if secret else None
            self._known.pop(secret, None)
            if holder is not None:
                if len(self._known) >= _MANY:
                    self._known.clear()
                self._known[secret] = (holder, now)
        return holder

    def _is_ours(self, given: str) -> bool:
        """Whether a Host header names us. An address cannot be rebound by a name server."""
        name, port = _split(given.lower())
        if port != self._address.port and not (
            port is None and self._address.port == (443 if self._address.secure else 80)
        ):
            return False
        if name in self._address.names or name == self._address.host:
            return True
        if name == "localhost":
            return self._address.is_loopback or self._serves_all
        try:
            found = ipaddress.ip_address(name)
        except ValueError:
            return False
        return found.is_loopback if self._address.is_loopback else self._serves_all

    @property
    def _serves_all(self) -> bool:
        return self._address.host in ("0.0.0.0", "::")  # noqa: S104


def _secret(request: Request) -> str:
    """The token of a request; "" for none."""
    kind, _, secret = request.headers.get("authorization", "").partition(" ")
    return secret.strip() if kind.lower() == "bearer" else ""


def _split(host: str) -> tuple[str, int | None]:
    """The name and the port of a Host header; the name is "" for what is none."""
    if host.startswith("["):
        name, _, rest = host[1:].partition("]")
        colon, port = rest[:1], rest[1:]
        if colon not in ("", ":"):
            return "", None
    else:
        name, colon, port = host.partition(":")
    if not colon:
        return name, None
    return (name, int(port)) if port.isascii() and port.isdigit() and len(port) < 6 else ("", None)
