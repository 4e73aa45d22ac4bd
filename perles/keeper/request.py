"""The head of an HTTP request: read strictly, and written anew for the engine.

Every user of this machine can connect, so nothing here trusts a byte. What the engine gets is one
request a connection, with one length, and a key by which it knows a request that it gets again.
"""

import os

HEAD_BYTES = 32 * 1024
BODY_BYTES = 4 * 1024 * 1024
_TOKEN = frozenset(b"!#$%&'*+-.^_`|~0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_HOP_BY_HOP = (b"connection", b"keep-alive", b"proxy-connection", b"expect", b"upgrade", b"te")
_ONCE = (b"host", b"origin", b"authorization", b"content-length")
_REASONS = {
    400: "Bad Request",
    401: "Unauthorized",
    408: "Request Timeout",
    411: "Length Required",
    413: "Content Too Large",
    431: "Request Header Fields Too Large",
    502: "Bad Gateway",
    503: "Service Unavailable",
}


class Refused(Exception):
    """A request that no engine needs to see."""

    def __init__(self, status: int, why: str) -> None:
        super().__init__(why)
        self.status, self.why = status, why

    def answer(self) -> bytes:
        """The response, whole."""
        body = b'{"error": "%s"}' % self.why.encode()
        challenge = "WWW-Authenticate: Bearer\r\n" if self.status == 401 else ""
        head = (
            f"HTTP/1.1 {self.status} {_REASONS[self.status]}\r\nContent-Type: application/json\r\n"
            f"{challenge}Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        return head.encode() + body


class Request:
    """A head that was understood."""

    __slots__ = ("head", "length", "streams")

    def __init__(self, head: bytes, length: int, streams: bool) -> None:
        self.head = head
        """For the engine."""
        self.length = length
        """Bytes of the body."""
        self.streams = streams
        """Whether its answer may be without end, so that it is handed on as it comes."""


def parse(head: bytes) -> Request:
    """The request with this head, which ends before its empty line. Raises `Refused`."""
    lines = head.split(b"\r\n")
    method = request_line(lines[0])
    kept, seen = [lines[0]], {}
    for line in lines[1:]:
        name, value = field(line)
        if name in seen and name in _ONCE:
            raise Refused(400, f"header {name.decode()} stands twice")
        seen[name] = value
        if name not in _HOP_BY_HOP:
            kept.append(line)
    if b"transfer-encoding" in seen:
        raise Refused(411, "a body needs a Content-Length")
    length = length_of(seen.get(b"content-length", b"0"))
    if length and b"authorization" not in seen:
        raise Refused(401, "no token")
    kept.append(b"Connection: close")
    if method == b"POST" and b"idempotency-key" not in seen:
        kept.append(b"Idempotency-Key: asked-" + os.urandom(12).hex().encode())
    return Request(b"\r\n".join(kept) + b"\r\n\r\n", length, method != b"POST")


def request_line(line: bytes) -> bytes:
    words = line.split(b" ")
    if (
        len(words) != 3
        or not words[0]
        or not words[1]
        or words[2] not in (b"HTTP/1.1", b"HTTP/1.0")
    ):
        raise Refused(400, "no HTTP request")
    if not _TOKEN.issuperset(words[0]) or any(byte <= 32 or byte >= 127 for byte in words[1]):
        raise Refused(400, "no HTTP request")
    return words[0]


def field(line: bytes) -> tuple[bytes, bytes]:
    name, colon, value = line.partition(b":")
    if not colon or not name or not _TOKEN.issuperset(name):
        raise Refused(400, "no HTTP header")
    if any((byte < 32 and byte != 9) or byte == 127 for byte in value):
        raise Refused(400, "no HTTP header")
    return name.lower(), value.strip(b" \t")


def length_of(text: bytes) -> int:
    if not text.isdigit():
        raise Refused(400, "no length")
    if len(text) > 9 or int(text) > BODY_BYTES:
        raise Refused(413, f"body over {BODY_BYTES} bytes")
    return int(text)
