"""HTTP/1.1 as it is read and written here: strictly, so that nobody can read it in two ways."""

import json
from collections.abc import Mapping
from http import HTTPStatus
from typing import Any, Final, NamedTuple
from urllib.parse import parse_qsl, unquote_to_bytes

from perles.http.limits import BODY_BYTES
from perles.keeper.request import Refused as KeeperRefused
from perles.keeper.request import field, request_line

MAX_FIELDS: Final = 100
_JSON: Final = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
_SECURITY: Final = (
    ("X-Content-Type-Options", "nosniff"),
    ("Referrer-Policy", "no-referrer"),
    ("Cross-Origin-Resource-Policy", "same-origin"),
    ("Cross-Origin-Opener-Policy", "same-origin"),
    (
        "Content-Security-Policy",
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; "
        "connect-src 'self'; manifest-src 'self'; worker-src 'self'; base-uri 'none'; "
        "form-action 'none'; frame-ancestors 'none'",
    ),
)


class Refused(Exception):
    """A request that is not carried out. `closes`: what follows on its connection is not read."""

    def __init__(self, status: int, why: str, *, kind: str = "", closes: bool = False) -> None:
        super().__init__(why)
        self.status, self.why, self.closes = status, why, closes
        self.kind = kind or HTTPStatus(status).name.lower()


class Request(NamedTuple):
    """A head that was understood. `segments` are the decoded parts of its path."""

    method: str
    segments: tuple[str, ...]
    query: dict[str, str]
    headers: Mapping[str, str]
    length: int


class Response(NamedTuple):
    """An answer, whole."""

    status: int = 200
    body: bytes = b""
    type: str = "application/json"
    headers: tuple[tuple[str, str], ...] = (("Cache-Control", "no-store"),)

    def encoded(self, *, closes: bool) -> bytes:
        """What goes over the wire."""
        return head_of(
            self.status,
            (
                ("Content-Type", self.type),
                ("Content-Length", str(len(self.body))),
                ("Connection", "close" if closes else "keep-alive"),
                *self.headers,
            ),
        ) + (self.body)


def head_of(status: int, headers: tuple[tuple[str, str], ...]) -> bytes:
    """The head of an answer, with what each carries."""
    lines = [f"HTTP/1.1 {status} {HTTPStatus(status).phrase}"]
    lines += [f"{name}: {value}" for name, value in (*headers, *_SECURITY)]
    return "\r\n".join((*lines, "", "")).encode("latin-1", errors="replace")


def as_json(value: Any, status: int = 200) -> Response:
    """`value` as an answer."""
    text = _JSON.encode(value)
    return Response(status, text.encode("utf-8", errors="backslashreplace"))


def told(kind: str, message: str, exit_code: int | None) -> dict[str, Any]:
    """The one shape of errors."""
    return {"error": {"kind": kind, "message": message, "exit_code": exit_code}}


def refusal(refused: Refused) -> Response:
    """The answer to what is not carried out."""
    answer = as_json(told(refused.kind, refused.why, None), refused.status)
    more = {
        401: (("WWW-Authenticate", "Bearer"),),
        429: (("Retry-After", "1"),),
        503: (("Retry-After", "1"),),
    }
    return answer._replace(headers=(*answer.headers, *more.get(refused.status, ())))


def parse(head: bytes) -> Request:
    """The request with this head, which ends with its empty line. Raises `Refused`."""
    lines = head.removesuffix(b"\r\n\r\n").split(b"\r\n")
    if len(lines) > MAX_FIELDS:
        raise Refused(431, f"more than {MAX_FIELDS} header fields", closes=True)
    try:
        method = request_line(lines[0]).decode()
        pairs = [field(line) for line in lines[1:]]
    except KeeperRefused as refused:
        raise Refused(refused.status, refused.why, closes=True) from None
    if not lines[0].endswith(b"HTTP/1.1"):
        raise Refused(505, "only HTTP/1.1 is spoken here", closes=True)
    headers: dict[str, str] = {}
    for raw, value in pairs:
        name = raw.decode()
        if name in headers:
            raise Refused(400, f"header {name} stands twice", closes=True)
        headers[name] = value.decode("latin-1")
    segments, query = _target(lines[0].split(b" ")[1])
    return Request(method, segments, query, headers, _length(headers))


def _length(headers: Mapping[str, str]) -> int:
    if "transfer-encoding" in headers:
        raise Refused(411, "a body needs a Content-Length", closes=True)
    text = headers.get("content-length", "0")
    if not (text.isascii() and text.isdigit()):
        raise Refused(400, "no length", closes=True)
    if len(text) > 9 or int(text) > BODY_BYTES:
        raise Refused(413, f"body over {BODY_BYTES} bytes", closes=True)
    return int(text)


def _target(target: bytes) -> tuple[tuple[str, ...], dict[str, str]]:
    """The path and the query of a request. Raises `Refused`."""
    path, _, query = target.partition(b"?")
    if not path.startswith(b"/") or b"#" in target:
        raise Refused(400, "the target is no path", closes=True)
    try:
        segments = tuple(unquote_to_bytes(part).decode() for part in path[1:].split(b"/"))
        pairs = parse_qsl(
            query.decode("ascii"),
            keep_blank_values=True,
            strict_parsing=bool(query),
            errors="strict",
            max_num_fields=MAX_FIELDS,
        )
    except ValueError:  # which a wrong encoding is, too
        raise Refused(400, "the target cannot be decoded", closes=True) from None
    if any("/" in one or not one.isprintable() for one in segments):
        raise Refused(400, "the path holds what no name has", closes=True)
    if len(dict(pairs)) < len(pairs):
        raise Refused(400, "a parameter stands twice: separate values by commas")
    return segments, dict(pairs)
