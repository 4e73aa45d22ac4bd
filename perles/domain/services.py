"""Services: commands that run on while other tasks need them, and how one tells that it is ready.

No I/O: what is asked of the machine is in `perles.engine.serving`.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Self
from urllib.parse import urlsplit

from perles.domain.records import dataclass

KINDS: Final = ("tcp", "http", "command", "line")
READY_SECONDS: Final = 60.0
MAX_READY_SECONDS: Final = 86_400.0
AGENT_TYPE: Final = "service"
"""The type of the agent that runs a service. It takes no worker slot and no other task."""
MARK: Final = '"service":'
"""What stands in the stored execution of a service, and of no other task."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Ready:
    """What tells that a service is ready: `kind` is one of `KINDS`, `value` what it asks for.

    `timeout` is in seconds. Without a kind it is ready when its process runs.
    """

    kind: str = ""
    value: str = ""
    timeout: float = READY_SECONDS

    def stored(self) -> dict[str, Any]:
        """As it is kept with the task."""
        return {"kind": self.kind, "value": self.value, "timeout": self.timeout}

    @classmethod
    def of(cls, stored: Mapping[str, Any] | None) -> Self | None:
        """What `stored` made; None for a task that is no service."""
        return None if stored is None else cls(**stored)

    def in_words(self) -> str:
        """`tcp 127.0.0.1:8080`."""
        return f"{self.kind} {self.value}" if self.kind else "its process"

    def local_port(self) -> int | None:
        """The port of this machine on which the service is to listen, where it is told."""
        if self.kind == "tcp":
            host, port = split_address(self.value)
        elif self.kind == "http":
            parts = urlsplit(self.value)
            host = parts.hostname or ""
            port = parts.port or (443 if parts.scheme == "https" else 80)
        else:
            return None
        return port if host in ("127.0.0.1", "localhost", "::1") else None


def split_address(text: str) -> tuple[str, int]:
    """`8080`, `host:8080` or `[::1]:8080` as host and port. Raises `ValueError`."""
    host, _, port = text.rpartition(":")
    host = host.removeprefix("[").removesuffix("]") or "127.0.0.1"
    if not port.isdecimal() or not 0 < int(port) < 65_536:
        raise ValueError(text)
    return host, int(port)


def agent_name(key: str) -> str:
    """The name of the agent that runs the service with this key."""
    return f"service-{key}"
