"""How much anybody may ask: sizes, times, and requests a second."""

import time
from collections.abc import Callable, Hashable
from typing import Final, NamedTuple

HEAD_BYTES: Final = 32 * 1024
BODY_BYTES: Final = 4 * 1024 * 1024
"""Of one request."""


class Limits(NamedTuple):
    """Times are in seconds, buffers in bytes, rates in requests a second."""

    head_seconds: float = 10.0
    """From the first byte of a head to its end."""
    body_seconds: float = 30.0
    write_seconds: float = 30.0
    """How long a client may take to read an answer."""
    idle_seconds: float = 60.0
    """Between two requests of one connection."""
    connections: int = 2048
    strangers: int = 256
    """Connections on which nobody has shown a token yet."""
    rate: float = 50.0
    burst: int = 1000
    """Of one token: its clients may all come again at once."""
    stranger_rate: float = 20.0
    stranger_burst: int = 200
    """Of one address, without a token that holds."""
    streams: int = 1024
    stream_buffer: int = 256 * 1024
    """What a client of the stream may leave unread before it is cut off; it can come again."""
    waiting: int = 128
    """Requests that wait for a thread."""


DEFAULT: Final = Limits()
_MANY: Final = 4096


class Rates:
    """A bucket of requests for each key, which fills again at a rate."""

    def __init__(self, rate: float, burst: int, now: Callable[[], float] = time.monotonic) -> None:
        self._rate, self._burst, self._now = rate, burst, now
        self._buckets: dict[Hashable, tuple[float, float]] = {}

    def allow(self, key: Hashable) -> bool:
        """Whether one more request is within the rate; it is counted then."""
        now = self._now()
        left, at = self._buckets.pop(key, (float(self._burst), now))
        left = min(float(self._burst), left + (now - at) * self._rate)
        allowed = left >= 1
        self._buckets[key] = (left - 1 if allowed else left, now)
        while len(self._buckets) > _MANY:  # the one that asked longest ago
            del self._buckets[next(iter(self._buckets))]
        return allowed
